package jdiffusion.server.mcp;

import com.fasterxml.jackson.databind.node.ObjectNode;
import jdiffusion.server.http.HttpError;
import jdiffusion.server.http.Json;

/** A message that is answered with an error of JSON-RPC 2.0 (section 5.1) or of MCP. */
final class RpcError extends RuntimeException {
    static final int NOT_JSON = -32700;
    static final int NO_REQUEST = -32600;
    static final int NO_METHOD = -32601;
    static final int WRONG_PARAMETERS = -32602;
    static final int FAILED = -32603;
    /** The headers say something else than the message. */
    static final int HEADERS_DIFFER = -32020;
    static final int WRONG_VERSION = -32022;

    private static final long serialVersionUID = 1L;

    private final int code;
    private final transient ObjectNode data;

    private RpcError(int code, String message, ObjectNode data) {
        super(message, null, false, false);
        this.code = code;
        this.data = data;
    }

    RpcError(int code, String message) {
        this(code, message, null);
    }

    /** @param data says more to programs */
    static RpcError with(ObjectNode data, int code, String message) {
        return new RpcError(code, message, data);
    }

    /** What the server refuses before it looks at the message; its own codes lie outside those of JSON-RPC. */
    static RpcError of(HttpError error) {
        int code = switch (error.status()) {
            case HttpError.BAD_REQUEST -> NO_REQUEST;
            case HttpError.FAILED -> FAILED;
            default -> error.status();
        };
        return new RpcError(code, error.getMessage());
    }

    /** The status of HTTP that goes with it, where the protocol's version asks for one. */
    int status() {
        return switch (code) {
            case NO_METHOD -> HttpError.NOT_FOUND;
            case FAILED -> HttpError.FAILED;
            default -> HttpError.BAD_REQUEST;
        };
    }

    int code() {
        return code;
    }

    /** The member {@code error} of a response. */
    ObjectNode json() {
        ObjectNode json = Json.object().put("code", code).put("message", getMessage());
        if (data != null) {
            json.set("data", data);
        }
        return json;
    }
}
