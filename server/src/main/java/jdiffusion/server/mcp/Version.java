package jdiffusion.server.mcp;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import java.util.Objects;
import jdiffusion.server.http.Exchange;
import jdiffusion.server.http.Json;
import jdiffusion.tensor.InputException;

/**
 * Revisions of the protocol. Since 2026-07-28 each request says its version and what the client can do, and names its
 * method in the headers, too (modelcontextprotocol.io/specification/2026-07-28, Streamable HTTP); before, a client
 * begins with {@code initialize}.
 */
final class Version {
    static final String CURRENT = "2026-07-28";
    /** Those that begin with {@code initialize}, the newest first. */
    static final List<String> WITH_HANDSHAKE = List.of("2025-11-25", "2025-06-18", "2025-03-26");
    static final String INITIALIZE = "initialize";
    static final String CALL = "tools/call";

    private static final String HEADER = "MCP-Protocol-Version";
    private static final String PREFIX = "io.modelcontextprotocol/";
    private static final String ENCODED = "=?base64?";
    private static final String ENCODED_END = "?=";

    private Version() {
    }

    /**
     * Whether a request is of the current version.
     *
     * @throws RpcError when it is of one that is unknown here, or the headers say something else
     */
    static boolean isCurrent(Exchange exchange, Message message) {
        String header = exchange.header(HEADER);
        JsonNode said = message.meta(PREFIX + "protocolVersion");
        if (INITIALIZE.equals(message.method()) && said == null) {
            return false;
        }
        if (said == null && (header == null || WITH_HANDSHAKE.contains(header))) {
            return false;
        }
        String version = said == null ? header : said.asText();
        if (said != null && !version.equals(header)) {
            throw differs(HEADER, header, version);
        }
        if (!version.equals(CURRENT)) {
            ObjectNode data = Json.object().put("requested", InputException.shown(version));
            addAll(data.putArray("supported"));
            throw RpcError.with(data, RpcError.WRONG_VERSION, "this server does not speak this version of the"
                    + " protocol");
        }
        if (message.isRequest()) {
            check(exchange, message, said);
        }
        return true;
    }

    private static void check(Exchange exchange, Message message, JsonNode said) {
        JsonNode capabilities = message.meta(PREFIX + "clientCapabilities");
        if (said == null || capabilities == null || !capabilities.isObject()) {
            throw new RpcError(RpcError.WRONG_PARAMETERS, "_meta must have " + PREFIX + "protocolVersion and "
                    + PREFIX + "clientCapabilities");
        }
        compare("Mcp-Method", exchange.header("Mcp-Method"), message.method());
        if (message.method().equals(CALL)) {
            compare("Mcp-Name", decoded(exchange.header("Mcp-Name")), message.parameters().path("name").asText());
        }
    }

    private static void compare(String name, String header, String said) {
        if (!Objects.equals(header, said)) {
            throw differs(name, header, said);
        }
    }

    private static RpcError differs(String name, String header, String said) {
        return new RpcError(RpcError.HEADERS_DIFFER, "the header " + name + (header == null ? " is missing"
                : " is '" + InputException.shown(header) + "'") + "; the message says '" + InputException.shown(said)
                + "'");
    }

    /** What is no plain text comes in base64. */
    private static String decoded(String header) {
        if (header == null || !header.startsWith(ENCODED) || !header.endsWith(ENCODED_END)
                || header.length() < ENCODED.length() + ENCODED_END.length()) {
            return header;
        }
        try {
            return new String(Base64.getDecoder().decode(header.substring(ENCODED.length(),
                    header.length() - ENCODED_END.length())), StandardCharsets.UTF_8);
        } catch (IllegalArgumentException e) {
            return header;
        }
    }

    static void addAll(ArrayNode to) {
        to.add(CURRENT);
        WITH_HANDSHAKE.forEach(to::add);
    }

    /** The version that a handshake settles on. */
    static String agreed(String asked) {
        return WITH_HANDSHAKE.contains(asked) ? asked : WITH_HANDSHAKE.getFirst();
    }

    /** What the current version asks for in each result. */
    static void complete(ObjectNode result, String serverVersion) {
        result.put("resultType", "complete");
        ObjectNode meta = result.get("_meta") instanceof ObjectNode there ? there : result.putObject("_meta");
        meta.set(PREFIX + "serverInfo", server(serverVersion));
    }

    static ObjectNode server(String version) {
        return Json.object().put("name", "jdiffusion").put("title", "jdiffusion").put("version", version);
    }

    /** Marks what belongs to a subscription. */
    static ObjectNode ofSubscription(ObjectNode json, JsonNode id) {
        json.putObject("_meta").set(PREFIX + "subscriptionId", id);
        return json;
    }
}
