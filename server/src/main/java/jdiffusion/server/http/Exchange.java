package jdiffusion.server.http;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Semaphore;
import jdiffusion.tensor.JsonFault;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Fields;

/** A request and its answer, for one thread, which may block. */
public final class Exchange {
    private static final int CHUNK = 1 << 16;
    private static final int RETRY_SECONDS = 5;
    /** A body may take so long to come, however many bytes of it come at a time. */
    private static final long BODY_NANOS = 120_000_000_000L;

    private final Request request;
    private final Response response;
    private final Map<String, String> variables;
    private final String client;
    private final long mostBody;
    private final Semaphore bodies;
    private int taken;
    private boolean talkative;

    /** @param bodies bytes that bodies of all requests may still take */
    Exchange(Request request, Response response, Map<String, String> variables, String client, long mostBody,
             Semaphore bodies) {
        this.request = request;
        this.response = response;
        this.variables = variables;
        this.client = client;
        this.mostBody = mostBody;
        this.bodies = bodies;
    }

    /** Who asks: the key, else the address, in a form that may be logged. */
    public String client() {
        return client;
    }

    /** A variable of the route's pattern. */
    public String variable(String name) {
        return variables.get(name);
    }

    /** A parameter of the address; null for none. */
    public String query(String name) {
        try {
            Fields fields = Request.extractQueryParameters(request);
            return fields.getValue(name);
        } catch (RuntimeException e) {
            throw HttpError.badRequest("the address's parameters cannot be decoded");
        }
    }

    /** A whole number of the address. */
    public int query(String name, int otherwise, int least, int most) {
        String value = query(name);
        if (value == null) {
            return otherwise;
        }
        try {
            int number = Integer.parseInt(value);
            if (number >= least && number <= most) {
                return number;
            }
        } catch (NumberFormatException e) {
            // told below
        }
        throw HttpError.badField(name, name + " is not a whole number from " + least + " to " + most);
    }

    /** A header's first value; null for none. */
    public String header(String name) {
        return request.getHeaders().get(name);
    }

    public void setHeader(String name, String value) {
        response.getHeaders().put(name, value);
    }

    /** Where the client reached this server, such as {@code http://127.0.0.1:8080}. */
    public String base() {
        boolean secure = "https".equalsIgnoreCase(header("X-Forwarded-Proto"));
        return (secure ? "https://" : "http://") + header("Host");
    }

    /** All of the body. */
    public byte[] body() {
        long length = request.getLength();
        if (length > mostBody) {
            throw tooLarge();
        }
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(length > 0 ? (int) Math.min(length, CHUNK) : CHUNK);
        byte[] chunk = new byte[CHUNK];
        long deadline = System.nanoTime() + BODY_NANOS;
        try (InputStream in = Content.Source.asInputStream(request)) {
            for (int n = in.read(chunk); n >= 0; n = in.read(chunk)) {
                take(n);
                bytes.write(chunk, 0, n);
                if (bytes.size() > mostBody) {
                    throw tooLarge();
                }
                if (System.nanoTime() > deadline) {
                    throw new HttpError(HttpError.TIMEOUT, "timeout", "the request's body did not come within "
                            + BODY_NANOS / 1_000_000_000 + " s");
                }
            }
        } catch (IOException e) {
            throw new HttpError(HttpError.TIMEOUT, "timeout", "the request's body did not come to its end");
        }
        return bytes.toByteArray();
    }

    private void take(int bytes) {
        if (!bodies.tryAcquire(bytes)) {
            setHeader("Connection", "close");
            throw HttpError.later(HttpError.UNAVAILABLE, "busy", "the server holds as many requests as it can; try"
                    + " again", RETRY_SECONDS);
        }
        taken += bytes;
    }

    /** Gives back the room that the body took: nothing of it is needed any more. */
    public void dropBody() {
        bodies.release(taken);
        taken = 0;
    }

    /** Takes the body of a request whose address says all. */
    public void discardBody() {
        body();
    }

    private HttpError tooLarge() {
        setHeader("Connection", "close");
        return new HttpError(HttpError.TOO_LARGE, "too_large", "the request's body is larger than the " + mostBody
                + " bytes that this server takes");
    }

    /** The body, which must be a JSON object. */
    public ObjectNode json() {
        if (jsonValue() instanceof ObjectNode object) {
            return object;
        }
        throw HttpError.badRequest("the request's body must be a JSON object");
    }

    /** The body, which must be JSON. */
    public JsonNode jsonValue() {
        checkType("application/json");
        try {
            return Json.MAPPER.readTree(body());
        } catch (JsonProcessingException e) {
            throw HttpError.badRequest("the request's body is not JSON " + JsonFault.words(e));
        } catch (IOException e) {
            throw HttpError.badRequest("the request's body is not JSON in UTF-8");
        }
    }

    /** The body, which must be a form with files. */
    public Form form() {
        String type = checkType("multipart/form-data");
        return Form.parse(type, body());
    }

    /**
     * Browsers send other pages' requests without asking where the type is one that a plain form may have, so the type
     * is not guessed.
     */
    private String checkType(String wanted) {
        String type = header("Content-Type");
        if (type == null || !type.split(";", 2)[0].strip().toLowerCase(Locale.ROOT).equals(wanted)) {
            throw new HttpError(HttpError.WRONG_TYPE, "unsupported_media_type", "send this with Content-Type: "
                    + wanted);
        }
        return type;
    }

    /** Answers with JSON. */
    public void json(int status, JsonNode node) throws IOException {
        bytes(status, "application/json", Json.bytes(node));
    }

    public void bytes(int status, String type, byte[] bytes) throws IOException {
        response.setStatus(status);
        response.getHeaders().put(HttpHeader.CONTENT_TYPE, type);
        response.getHeaders().put(HttpHeader.CONTENT_LENGTH, bytes.length);
        Content.Sink.write(response, true, ByteBuffer.wrap(bytes));
    }

    public void empty(int status) throws IOException {
        response.setStatus(status);
        Content.Sink.write(response, true, ByteBuffer.allocate(0));
    }

    /** Answers with a stream of server-sent events. */
    public EventStream events() {
        response.setStatus(200);
        response.getHeaders().put(HttpHeader.CONTENT_TYPE, "text/event-stream");
        response.getHeaders().put(HttpHeader.CACHE_CONTROL, "no-store");
        response.getHeaders().put("X-Accel-Buffering", "no");
        return new EventStream(this, response);
    }

    /** Whether an answer has begun. */
    boolean isCommitted() {
        return response.isCommitted();
    }

    /**
     * Whether the client has closed its connection. Jetty does not look for that while a request is answered, so the
     * socket is read here; its whole request was read before. A client that sends another request without waiting for
     * the answer is told that the connection closes after it.
     */
    public boolean isGone() {
        if (talkative || !(request.getConnectionMetaData().getConnection().getEndPoint().getTransport()
                instanceof SocketChannel channel)) {
            return false;
        }
        try {
            int read = channel.read(ByteBuffer.allocate(1));
            if (read > 0) {
                talkative = true;
                if (!response.isCommitted()) {
                    setHeader("Connection", "close");
                }
            }
            return read < 0;
        } catch (IOException e) {
            return true;
        }
    }
}
