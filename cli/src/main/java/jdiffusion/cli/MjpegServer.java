package jdiffusion.cli;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.net.BindException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import jdiffusion.tensor.InputException;

/**
 * Shows the latest picture to browsers and players: a page, a stream of pictures each of which takes the place of the
 * one before (multipart/x-mixed-replace, as webcams serve it), and the latest one alone. Who reads slowly misses
 * pictures and holds nobody up.
 */
final class MjpegServer implements PictureSink {
    static final int USUAL_PORT = 8188;
    private static final int MOST_PORT = 65535;
    private static final int MOST_READERS = 32;
    /** A picture is sent again after so long, to find out who still reads. */
    private static final long AGAIN_MILLIS = 5000;
    private static final String BOUNDARY = "picture";
    /** Names that no other site can be reached by, so that a page from elsewhere cannot pose as this one. */
    private static final Set<String> OWN_NAMES = Set.of("localhost", "127.0.0.1", "[::1]");
    private static final Pattern NUMBERS = Pattern.compile("[0-9.]+|\\[.*]");
    private static final byte[] PAGE = """
            <!DOCTYPE html>
            <html lang="en"><head><meta charset="utf-8"><title>jdiffusion</title>
            <style>html,body{height:100%;margin:0;background:#111}
            img{width:100%;height:100%;object-fit:contain}</style></head>
            <body><img src="stream" alt="the stream"></body></html>
            """.getBytes(StandardCharsets.UTF_8);

    private final HttpServer server;
    private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
    private final String host;
    private final boolean open;
    private final String mime;
    private final AtomicInteger readers = new AtomicInteger();
    private byte[] latest;
    private long version;
    private boolean ended;

    private MjpegServer(HttpServer server, String host, String mime) {
        this.server = server;
        this.host = host.toLowerCase(Locale.ROOT);
        this.open = !server.getAddress().getAddress().isLoopbackAddress();
        this.mime = mime;
        server.setExecutor(threads);
        server.createContext("/", this::answer);
    }

    /** @param port 0 for any free one */
    static MjpegServer start(String host, int port, String mime, Consumer<String> notes) {
        if (port > MOST_PORT) {
            throw new InputException("--output: the port is " + port + "; use 0 (any free one) to " + MOST_PORT);
        }
        String where = "--output http://" + host + ":" + port;
        InetSocketAddress address = new InetSocketAddress(host, port);
        if (address.isUnresolved()) {
            throw new InputException(where + ": there is no such host; use 127.0.0.1, or an address of this machine");
        }
        try {
            MjpegServer server = new MjpegServer(HttpServer.create(address, 0), host, mime);
            server.server.start();
            notes.accept("watch at http://" + host + ":" + server.port() + "/"
                    + (server.open ? " (also from other machines: all who reach this address can watch)" : ""));
            return server;
        } catch (BindException e) {
            throw new InputException(where + ": cannot be listened at (" + e.getMessage() + "); is the port in use?"
                    + " Give another one, or 0 for any free one", e);
        } catch (IOException e) {
            throw new InputException(where + ": cannot be listened at (" + e.getMessage() + ")", e);
        }
    }

    int port() {
        return server.getAddress().getPort();
    }

    private void answer(HttpExchange exchange) throws IOException {
        try (exchange) {
            var headers = exchange.getResponseHeaders();
            headers.set("Cache-Control", "no-store");
            headers.set("X-Content-Type-Options", "nosniff");
            headers.set("Cross-Origin-Resource-Policy", "same-origin");
            headers.set("Content-Security-Policy",
                    "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'");
            if (!isOwn(exchange.getRequestHeaders().getFirst("Host"))) {
                send(exchange, 403, "text/plain", text("this host name is not served"));
                return;
            }
            boolean head = exchange.getRequestMethod().equals("HEAD");
            if (!head && !exchange.getRequestMethod().equals("GET")) {
                headers.set("Allow", "GET, HEAD");
                send(exchange, 405, "text/plain", text("only GET and HEAD"));
                return;
            }
            switch (exchange.getRequestURI().getPath()) {
                case "/" -> send(exchange, 200, "text/html; charset=utf-8", PAGE);
                case "/picture" -> {
                    byte[] picture = latest();
                    send(exchange, picture == null ? 404 : 200, picture == null ? "text/plain" : mime,
                            picture == null ? text("no picture is drawn yet") : picture);
                }
                case "/stream" -> stream(exchange, head);
                default -> send(exchange, 404, "text/plain", text("only /, /stream and /picture are here"));
            }
        }
    }

    /** Whether a request means this server by the name it was found by. */
    private boolean isOwn(String header) {
        if (header == null) {
            return false;
        }
        String name = header.replaceFirst(":\\d*$", "").toLowerCase(Locale.ROOT);
        return OWN_NAMES.contains(name) || name.equals(host) || open && NUMBERS.matcher(name).matches();
    }

    private static byte[] text(String line) {
        return (line + "\n").getBytes(StandardCharsets.UTF_8);
    }

    private static void send(HttpExchange exchange, int code, String type, byte[] body) throws IOException {
        exchange.getResponseHeaders().set("Content-Type", type);
        boolean head = exchange.getRequestMethod().equals("HEAD");
        exchange.sendResponseHeaders(code, head ? -1 : body.length);
        if (!head) {
            exchange.getResponseBody().write(body);
        }
    }

    private void stream(HttpExchange exchange, boolean head) throws IOException {
        if (readers.incrementAndGet() > MOST_READERS) {
            readers.decrementAndGet();
            send(exchange, 503, "text/plain", text(MOST_READERS + " are watching already"));
            return;
        }
        try {
            exchange.getResponseHeaders().set("Content-Type", "multipart/x-mixed-replace; boundary=" + BOUNDARY);
            exchange.sendResponseHeaders(200, head ? -1 : 0);
            if (head) {
                return;
            }
            OutputStream out = exchange.getResponseBody();
            out.write(text("--" + BOUNDARY + "\r"));
            long seen = 0;
            while (true) {
                byte[] picture;
                synchronized (this) {
                    seen = await(seen);
                    if (ended) {
                        return;
                    }
                    picture = latest;
                }
                if (picture != null) {
                    // With the boundary after it, for which browsers wait before they show the picture.
                    out.write(text("Content-Type: " + mime + "\r\nContent-Length: " + picture.length + "\r\n\r"));
                    out.write(picture);
                    out.write(text("\r\n--" + BOUNDARY + "\r"));
                    out.flush();
                }
            }
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        } finally {
            readers.decrementAndGet();
        }
    }

    /** Waits for a picture after the one that was seen, or for a while; returns which one is there. */
    private synchronized long await(long seen) throws InterruptedException {
        long until = System.nanoTime() + AGAIN_MILLIS * 1_000_000;
        for (long left = AGAIN_MILLIS; version == seen && !ended && left > 0;
                left = (until - System.nanoTime()) / 1_000_000) {
            wait(left);
        }
        return version;
    }

    private synchronized byte[] latest() {
        return latest;
    }

    @Override
    public synchronized boolean write(Frame frame, byte[] encoded) {
        latest = encoded;
        version++;
        notifyAll();
        return true;
    }

    @Override
    public void close() {
        synchronized (this) {
            ended = true;
            notifyAll();
        }
        server.stop(0);
        threads.shutdownNow();
    }
}
