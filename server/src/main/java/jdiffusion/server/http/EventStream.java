package jdiffusion.server.http;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.eclipse.jetty.io.Content;

/** Server-sent events (WHATWG HTML, section 9.2). Each is on its way when the call returns. */
public final class EventStream {
    private final Exchange exchange;
    private final Content.Sink sink;
    private long lastSent = System.nanoTime();

    EventStream(Exchange exchange, Content.Sink sink) {
        this.exchange = exchange;
        this.sink = sink;
    }

    /** Sends the headers, so that the client knows that it is heard. */
    public void open() throws IOException {
        write(":\n\n");
    }

    /**
     * Sends an event.
     *
     * @param id   for clients that come back with Last-Event-ID; null for none
     * @param name null for none
     */
    public void send(String id, String name, JsonNode data) throws IOException {
        StringBuilder text = new StringBuilder();
        if (id != null) {
            text.append("id: ").append(id).append('\n');
        }
        if (name != null) {
            text.append("event: ").append(name).append('\n');
        }
        write(text.append("data: ").append(Json.text(data)).append("\n\n").toString());
    }

    /** Data alone, which is no JSON. */
    public void send(String data) throws IOException {
        write("data: " + data + "\n\n");
    }

    /**
     * Keeps proxies from closing a connection on which nothing happens.
     *
     * @throws IOException when the client is gone
     */
    public void keepOpen(long nanos) throws IOException {
        if (exchange.isGone()) {
            throw new IOException("the client is gone");
        }
        if (System.nanoTime() - lastSent > nanos) {
            write(":\n\n");
        }
    }

    public void end() throws IOException {
        Content.Sink.write(sink, true, ByteBuffer.allocate(0));
    }

    private void write(String text) throws IOException {
        lastSent = System.nanoTime();
        Content.Sink.write(sink, false, ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8)));
    }
}
