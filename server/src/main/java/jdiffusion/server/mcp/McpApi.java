package jdiffusion.server.mcp;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.Locale;
import java.util.UUID;
import jdiffusion.server.calls.Calls;
import jdiffusion.server.http.Api;
import jdiffusion.server.http.EventStream;
import jdiffusion.server.http.Exchange;
import jdiffusion.server.http.HttpError;
import jdiffusion.server.http.Json;
import jdiffusion.server.http.Routes;

/**
 * The Model Context Protocol over streamable HTTP, by which language models' programs use tools
 * (modelcontextprotocol.io/specification, revisions 2025-03-26 to 2026-07-28). The server keeps nothing of a session;
 * its id only tells whose request a cancellation means.
 */
public final class McpApi implements Api {
    private static final String PATH = "/mcp";
    private static final String SESSION = "Mcp-Session-Id";
    private static final String INSTRUCTIONS = "Draws pictures from descriptions with models on the server's own"
            + " machine. A picture may take from seconds to minutes.";
    private static final int LARGEST_BATCH = 16;
    private static final int FRESH_MILLIS = 60_000;
    private static final long LOOK_MILLIS = 250;

    private final Calls calls;
    private final String version;
    private final ToolSchemas schemas;
    private final DrawingTools drawing;

    /** @param version of the program */
    public McpApi(Calls calls, String version) {
        this.calls = calls;
        this.version = version;
        this.schemas = new ToolSchemas(calls.preparer());
        this.drawing = new DrawingTools(calls);
    }

    @Override
    public String name() {
        return "mcp";
    }

    @Override
    public String prefix() {
        return PATH;
    }

    @Override
    public ObjectNode error(HttpError error) {
        return Message.answer(null, RpcError.of(error));
    }

    /** GET and DELETE are answered with 405: the server begins no messages, and has no session to end. */
    @Override
    public void addTo(Routes routes) {
        routes.add("POST", PATH, this::post);
    }

    private void post(Exchange exchange) throws IOException {
        JsonNode body;
        try {
            body = exchange.jsonValue();
        } catch (HttpError e) {
            if (e.status() != HttpError.BAD_REQUEST) {
                throw e;
            }
            exchange.json(HttpError.BAD_REQUEST, Message.answer(null, new RpcError(RpcError.NOT_JSON,
                    e.getMessage())));
            return;
        }
        if (body instanceof ArrayNode messages) {
            batch(exchange, messages);
            return;
        }
        Boolean current = null;
        try {
            Message message = Message.of(body);
            current = Version.isCurrent(exchange, message);
            answer(exchange, message, current);
        } catch (RpcError e) {
            // Before the current version only what is no request at all had a status of its own.
            exchange.json(Boolean.FALSE.equals(current) ? 200 : e.status(), Message.answer(Message.id(body), e));
        }
    }

    private void answer(Exchange exchange, Message message, boolean current) throws IOException {
        if (!message.isRequest()) {
            if ("notifications/cancelled".equals(message.method())) {
                drawing.cancel(caller(exchange), message.parameters().get("requestId"));
            }
            exchange.empty(202);
            return;
        }
        if (current && message.method().equals("subscriptions/listen")) {
            listen(exchange, message);
            return;
        }
        String tool = drawingTool(message);
        if (tool == null) {
            exchange.json(200, message.answer(complete(result(exchange, message, current), current)));
            return;
        }
        boolean streams = accepts(exchange, "text/event-stream");
        DrawingTools.Call call = drawing.submit(exchange, message, tool, caller(exchange));
        if (!streams || call.result() != null) {
            ObjectNode result = drawing.result(exchange, call, null, null);
            exchange.json(200, message.answer(complete(result, current)));
            return;
        }
        // What draws for long is answered by a stream, which proxies and clients keep open.
        EventStream stream = exchange.events();
        ObjectNode result = drawing.result(exchange, call, stream, message.progressToken());
        if (!call.isCancelledByClient()) {
            stream.send(null, "message", message.answer(complete(result, current)));
        }
        stream.end();
    }

    /** Whose request: ids count within a session. */
    private static String caller(Exchange exchange) {
        String session = exchange.header(SESSION);
        return session == null ? null : exchange.client() + " " + session;
    }

    private static boolean accepts(Exchange exchange, String type) {
        String accept = exchange.header("Accept");
        return accept != null && accept.toLowerCase(Locale.ROOT).contains(type);
    }

    private ObjectNode complete(ObjectNode result, boolean current) {
        if (current) {
            Version.complete(result, version);
        }
        return result;
    }

    /** The tool that is called, where it draws; null for all else. */
    private static String drawingTool(Message message) {
        String tool = message.method().equals(Version.CALL) ? message.parameters().path("name").asText() : "";
        return tool.equals(ToolSchemas.GENERATE) || tool.equals(ToolSchemas.EDIT) ? tool : null;
    }

    private ObjectNode result(Exchange exchange, Message message, boolean current) {
        return switch (message.method()) {
            case "tools/list" -> tools(current);
            case Version.CALL -> models(message);
            default -> {
                if (current && message.method().equals("server/discover")) {
                    yield discover();
                }
                if (!current && message.method().equals(Version.INITIALIZE)) {
                    yield initialize(exchange, message);
                }
                if (!current && message.method().equals("ping")) {
                    yield Json.object();
                }
                throw new RpcError(RpcError.NO_METHOD, "there is no such method here");
            }
        };
    }

    /** The one tool that does not draw. */
    private ObjectNode models(Message message) {
        if (!message.parameters().path("name").asText().equals(ToolSchemas.MODELS)) {
            throw new RpcError(RpcError.WRONG_PARAMETERS, "there is no such tool; there is " + ToolSchemas.GENERATE
                    + ", " + ToolSchemas.EDIT + " and " + ToolSchemas.MODELS);
        }
        ObjectNode models = schemas.models();
        return DrawingTools.text(models.toPrettyString(), false).set("structuredContent", models);
    }

    private ObjectNode initialize(Exchange exchange, Message message) {
        JsonNode asked = message.parameters().get("protocolVersion");
        if (asked == null || !asked.isTextual()) {
            throw new RpcError(RpcError.WRONG_PARAMETERS, "protocolVersion is missing");
        }
        exchange.setHeader(SESSION, UUID.randomUUID().toString());
        ObjectNode result = Json.object().put("protocolVersion", Version.agreed(asked.asText()));
        capabilities(result);
        result.set("serverInfo", Version.server(version));
        return result.put("instructions", INSTRUCTIONS);
    }

    private static void capabilities(ObjectNode result) {
        result.putObject("capabilities").putObject("tools");
    }

    private ObjectNode discover() {
        ObjectNode result = Json.object();
        Version.addAll(result.putArray("supportedVersions"));
        capabilities(result);
        return cached(result.put("instructions", INSTRUCTIONS));
    }

    private ObjectNode tools(boolean current) {
        ObjectNode result = Json.object();
        result.set("tools", schemas.all());
        return current ? cached(result) : result;
    }

    private static ObjectNode cached(ObjectNode result) {
        return result.put("ttlMs", FRESH_MILLIS).put("cacheScope", "private");
    }

    /** No list ever changes in a way that is told, so the stream only stays open until one side ends. */
    private void listen(Exchange exchange, Message message) throws IOException {
        EventStream stream = exchange.events();
        stream.open();
        ObjectNode accepted = Version.ofSubscription(Json.object(), message.id());
        accepted.putObject("notifications");
        stream.send(null, "message", Message.notification("notifications/subscriptions/acknowledged", accepted));
        try {
            while (!calls.jobs().isStopping()) {
                Thread.sleep(LOOK_MILLIS);
                stream.keepOpen(DrawingTools.KEEP_OPEN_NANOS);
            }
        } catch (InterruptedException e) {
            throw new IOException("the server is stopping", e);
        }
        stream.send(null, "message", message.answer(complete(Version.ofSubscription(Json.object(), message.id()),
                true)));
        stream.end();
    }

    /** Several messages at once, which revision 2025-03-26 alone knows. */
    private void batch(Exchange exchange, ArrayNode messages) throws IOException {
        if (messages.isEmpty() || messages.size() > LARGEST_BATCH) {
            exchange.json(HttpError.BAD_REQUEST, Message.answer(null, new RpcError(RpcError.NO_REQUEST, "a batch of "
                    + messages.size() + " messages; 1 to " + LARGEST_BATCH + " are taken")));
            return;
        }
        ArrayNode answers = Json.array();
        for (JsonNode node : messages) {
            try {
                Message message = Message.of(node);
                if (Version.isCurrent(exchange, message)) {
                    throw new RpcError(RpcError.NO_REQUEST, "this version of the protocol has no batches");
                }
                if (message.isRequest()) {
                    String tool = drawingTool(message);
                    answers.add(message.answer(tool == null ? result(exchange, message, false) : drawing.result(
                            exchange, drawing.submit(exchange, message, tool, caller(exchange)), null, null)));
                }
            } catch (RpcError e) {
                answers.add(Message.answer(Message.id(node), e));
            }
        }
        if (answers.isEmpty()) {
            exchange.empty(202);
        } else {
            exchange.json(200, answers);
        }
    }
}
