package jdiffusion.server.mcp;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import jdiffusion.server.calls.Calls;
import jdiffusion.server.http.EventStream;
import jdiffusion.server.http.Exchange;
import jdiffusion.server.http.HttpError;
import jdiffusion.server.http.Json;
import jdiffusion.server.jobs.Job;
import jdiffusion.server.jobs.JobEvent;
import jdiffusion.server.jobs.JobPicture;
import jdiffusion.tensor.InputException;

/** Draws for the tools. What cannot be drawn is a result too, which tells the model what to do otherwise. */
final class DrawingTools {
    static final long KEEP_OPEN_NANOS = 15_000_000_000L;

    private final Calls calls;
    /** Calls that are drawn or wait, by whose they are and their id. */
    private final Map<String, Call> running = new ConcurrentHashMap<>();

    DrawingTools(Calls calls) {
        this.calls = calls;
    }

    /** A call on its way, or with its result where it came to nothing. */
    static final class Call {
        private final String key;
        private final ToolCall tool;
        private final Job job;
        private final ObjectNode result;
        private volatile boolean cancelled;

        private Call(String key, ToolCall tool, Job job, ObjectNode result) {
            this.key = key;
            this.tool = tool;
            this.job = job;
            this.result = result;
        }

        /** Null while it is drawn. */
        ObjectNode result() {
            return result;
        }

        /** Whether the client took it back, and expects no answer. */
        boolean isCancelledByClient() {
            return cancelled;
        }
    }

    /**
     * Reads a call and puts it into the queue.
     *
     * @param caller within which its id counts; null where that is not known
     * @throws RpcError when it is no call
     */
    Call submit(Exchange exchange, Message message, String tool, String caller) {
        JsonNode given = message.parameters().get("arguments");
        if (given != null && !given.isObject()) {
            throw new RpcError(RpcError.WRONG_PARAMETERS, "arguments must be an object");
        }
        ObjectNode arguments = given instanceof ObjectNode object ? object : Json.object();
        try {
            ToolCall call = ToolCall.of(calls, arguments, tool.equals(ToolSchemas.EDIT));
            // Pictures in it may be large, and it may wait for long.
            arguments.removeAll();
            Job job = calls.submit(exchange, call.prepared(), true, Set.of());
            return new Call(caller == null ? null : key(caller, message.id()), call, job, null);
        } catch (InputException | HttpError e) {
            return new Call(null, null, null, text(e.getMessage(), true));
        }
    }

    private static String key(String caller, JsonNode id) {
        return caller + " " + id;
    }

    /** Ends a call that is drawn or waits; does nothing where there is none. */
    void cancel(String caller, JsonNode id) {
        Call call = caller == null || id == null ? null : running.get(key(caller, id));
        if (call != null) {
            call.cancelled = true;
            calls.jobs().cancel(call.job);
        }
    }

    /**
     * Waits until a call is drawn. When the client goes away it is cancelled.
     *
     * @param stream is opened, and kept open meanwhile; null where the answer is no stream
     * @param token  under which progress is reported; null for no reports
     */
    ObjectNode result(Exchange exchange, Call call, EventStream stream, JsonNode token) throws IOException {
        if (call.result != null) {
            return call.result;
        }
        ProgressReports reports = stream == null || token == null ? null
                : new ProgressReports(stream, token, call.tool.prepared().request().images());
        Set<String> notes = new LinkedHashSet<>();
        if (call.key != null) {
            running.put(call.key, call);
        }
        try (Job.Listening listening = call.job.listen()) {
            if (stream != null) {
                stream.open();
            }
            calls.follow(listening, 0, entry -> {
                if (entry.event() instanceof JobEvent.Note note) {
                    notes.add(note.text());
                } else if (reports != null) {
                    reports.event(entry.event());
                }
            }, () -> {
                if (stream != null) {
                    stream.keepOpen(KEEP_OPEN_NANOS);
                } else if (exchange.isGone()) {
                    throw new IOException("the client is gone");
                }
            });
            calls.checkDrawn(call.job);
        } catch (HttpError e) {
            return text(e.getMessage(), true);
        } finally {
            if (call.key != null) {
                running.remove(call.key, call);
            }
        }
        return pictures(call, notes);
    }

    private static ObjectNode pictures(Call call, Set<String> notes) {
        ObjectNode result = Json.object();
        ArrayNode content = result.putArray("content");
        for (JobPicture picture : call.job.pictures()) {
            content.addObject().put("type", "image").put("data", call.tool.encode(picture))
                    .put("mimeType", "image/" + call.tool.format());
            String seed = Long.toUnsignedString(picture.seed());
            addText(content, "Picture " + ToolCall.name(call.job, picture) + ", seed " + seed
                    + (picture.whole() ? "" : ", interrupted") + "\n" + picture.text());
        }
        if (!notes.isEmpty()) {
            addText(content, "Note: " + String.join("\nNote: ", notes));
        }
        return result.put("isError", false);
    }

    private static void addText(ArrayNode content, String text) {
        content.addObject().put("type", "text").put("text", text);
    }

    /** A result of text alone. */
    static ObjectNode text(String text, boolean error) {
        ObjectNode result = Json.object();
        addText(result.putArray("content"), text);
        return result.put("isError", error);
    }
}
