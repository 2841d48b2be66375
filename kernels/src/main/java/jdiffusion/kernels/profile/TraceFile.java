package jdiffusion.kernels.profile;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.math.BigDecimal;
import java.nio.channels.Channels;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import jdiffusion.kernels.profile.Profile.Event;
import jdiffusion.tensor.OutputFile;

/**
 * Writes a profile in the Trace Event Format of Chrome's trace viewer, which Perfetto reads too: an object with
 * {@code traceEvents}, of which each is complete ({@code "ph": "X"}) with start and duration in microseconds.
 * Events of one thread nest by their times: scopes, and in them the operations.
 */
public final class TraceFile {
    private static final int PROCESS = 1;
    private static final int THREAD = 1;

    private final JsonGenerator json;
    private final long origin;

    private TraceFile(JsonGenerator json, long origin) {
        this.json = json;
        this.origin = origin;
    }

    /**
     * Writes the file whole or not at all.
     *
     * @throws jdiffusion.tensor.InputException when it cannot be written
     */
    public static void write(Path path, Profile profile) {
        OutputFile.write(path, channel -> {
            OutputStream out = new BufferedOutputStream(Channels.newOutputStream(channel), 1 << 16);
            JsonGenerator json = new JsonFactory().createGenerator(out);
            new TraceFile(json, profile.start()).write(profile);
            json.flush();
        });
    }

    private void write(Profile profile) throws IOException {
        json.writeStartObject();
        json.writeStringField("displayTimeUnit", "ms");
        json.writeArrayFieldStart("traceEvents");
        name("process_name", "jdiffusion");
        name("thread_name", "operations");
        Deque<Span> spans = new ArrayDeque<>(profile.spans());
        for (Event event : profile.events()) {
            while (!spans.isEmpty() && spans.getFirst().start() <= event.start()) {
                write(spans.removeFirst());
            }
            begin(event.operation().kind(), "operation", event.start(), event.nanos());
            json.writeStringField("shape", event.operation().shape());
            json.writeNumberField("flops", event.operation().flops());
            json.writeNumberField("bytes", event.operation().bytes());
            end();
        }
        while (!spans.isEmpty()) {
            write(spans.removeFirst());
        }
        json.writeEndArray();
        json.writeEndObject();
    }

    private void write(Span span) throws IOException {
        begin(span.label(), "scope", span.start(), span.end() - span.start());
        end();
    }

    /** Metadata: what the viewer writes beside the process or thread. */
    private void name(String kind, String name) throws IOException {
        json.writeStartObject();
        json.writeStringField("name", kind);
        json.writeStringField("ph", "M");
        json.writeNumberField("pid", PROCESS);
        json.writeNumberField("tid", THREAD);
        json.writeObjectFieldStart("args");
        json.writeStringField("name", name);
        end();
    }

    /** All of an event up to its arguments. */
    private void begin(String name, String category, long start, long nanos) throws IOException {
        json.writeStartObject();
        json.writeStringField("name", name);
        json.writeStringField("cat", category);
        json.writeStringField("ph", "X");
        json.writeNumberField("ts", micros(start - origin));
        json.writeNumberField("dur", micros(nanos));
        json.writeNumberField("pid", PROCESS);
        json.writeNumberField("tid", THREAD);
        json.writeObjectFieldStart("args");
    }

    /** Not rounded: events must nest exactly. */
    private static BigDecimal micros(long nanos) {
        return BigDecimal.valueOf(nanos, 3);
    }

    private void end() throws IOException {
        json.writeEndObject();
        json.writeEndObject();
    }
}
