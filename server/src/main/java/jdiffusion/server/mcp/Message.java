package jdiffusion.server.mcp;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import jdiffusion.server.http.Json;

/**
 * A request or notification of JSON-RPC 2.0.
 *
 * @param id         a text or a whole number; null for a notification, or where it could not be read
 * @param method     null for a response
 * @param parameters by name; empty for none
 */
record Message(JsonNode id, String method, ObjectNode parameters) {
    private static final String META = "_meta";

    /**
     * Reads a message.
     *
     * @throws RpcError when it is none
     */
    static Message of(JsonNode node) {
        if (!node.isObject() || !"2.0".equals(node.path("jsonrpc").asText())) {
            throw new RpcError(RpcError.NO_REQUEST, "a message must be an object with jsonrpc 2.0");
        }
        JsonNode id = node.get("id");
        if (node.has("method") ? id != null && !isId(id) : !node.has("result") && !node.has("error")) {
            throw new RpcError(RpcError.NO_REQUEST, node.has("method")
                    ? "the id of a request must be a text or a whole number" : "the method is missing");
        }
        if (!node.path("method").isMissingNode() && !node.get("method").isTextual()) {
            throw new RpcError(RpcError.NO_REQUEST, "the method must be a text");
        }
        JsonNode parameters = node.get("params");
        if (parameters != null && !parameters.isObject()) {
            throw new RpcError(RpcError.WRONG_PARAMETERS, "params must be an object");
        }
        return new Message(id, node.path("method").textValue(),
                parameters instanceof ObjectNode object ? object : Json.object());
    }

    /** The id of something that may be no message; null where there is none. */
    static JsonNode id(JsonNode node) {
        JsonNode id = node.get("id");
        return id != null && isId(id) ? id : null;
    }

    private static boolean isId(JsonNode node) {
        return node.isTextual() || node.isIntegralNumber();
    }

    boolean isRequest() {
        return id != null && method != null;
    }

    /** A value of the metadata; null for none. */
    JsonNode meta(String name) {
        return parameters.path(META).get(name);
    }

    /** By what the client knows reports of progress; null where it wants none. */
    JsonNode progressToken() {
        JsonNode token = meta("progressToken");
        return token != null && isId(token) ? token : null;
    }

    ObjectNode answer(ObjectNode result) {
        return (ObjectNode) Json.object().put("jsonrpc", "2.0").<ObjectNode>set("id", id).set("result", result);
    }

    /** @param id null where it could not be read */
    static ObjectNode answer(JsonNode id, RpcError error) {
        ObjectNode json = Json.object().put("jsonrpc", "2.0");
        if (id != null) {
            json.set("id", id);
        }
        return json.set("error", error.json());
    }

    static ObjectNode notification(String method, ObjectNode parameters) {
        return Json.object().put("jsonrpc", "2.0").put("method", method).set("params", parameters);
    }
}
