package jdiffusion.server.http;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.UnknownHostException;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Predicate;
import jdiffusion.server.metrics.Metrics;
import jdiffusion.tensor.InputException;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.NetworkConnectionLimit;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.util.thread.VirtualThreadPool;

/** The HTTP server: Jetty with one connector and a virtual thread for each request. */
public final class Site implements AutoCloseable {
    private static final int MOST_CONNECTIONS = 2000;
    private static final int BACKLOG = 1024;
    private static final long IDLE_MILLIS = 30_000;
    private static final int LONGEST_HEADERS = 16 << 10;

    private final Server server;
    private final ServerConnector connector;

    private Site(Server server, ServerConnector connector) {
        this.server = server;
        this.connector = connector;
    }

    /**
     * Starts to answer.
     *
     * @param host     name or address to listen at
     * @param port     0 for any that is free
     * @param open     whether a path needs no key
     * @param mostBody bytes of a request's body
     * @param log      gets a line for each request
     * @throws InputException when host and port cannot be had
     */
    public static Site start(String host, int port, List<Api> apis, Access access, Predicate<String> open, long mostBody,
                             Metrics metrics, Consumer<String> log) {
        VirtualThreadPool threads = new VirtualThreadPool();
        threads.setMaxConcurrentTasks(0);
        Server server = new Server(threads);
        HttpConfiguration http = new HttpConfiguration();
        http.setSendServerVersion(false);
        http.setRequestHeaderSize(LONGEST_HEADERS);
        ServerConnector connector = new ServerConnector(server, 1, 1, new HttpConnectionFactory(http));
        connector.setHost(host);
        connector.setPort(port);
        connector.setAcceptQueueSize(BACKLOG);
        connector.setIdleTimeout(IDLE_MILLIS);
        server.addConnector(connector);
        server.addBean(new NetworkConnectionLimit(MOST_CONNECTIONS, connector));
        server.setHandler(new Dispatcher(apis, access, open, mostBody, metrics, log));
        server.setErrorHandler(Site::error);
        try {
            InetAddress.getByName(host);
            server.start();
        } catch (UnknownHostException e) {
            throw new InputException("--host " + host + " is no address of this machine", e);
        } catch (IOException e) {
            throw new InputException("cannot listen at " + host + ":" + port + ": " + (e.getCause() == null
                    ? e.getMessage() : e.getCause().getMessage()) + "; choose another --port", e);
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
        return new Site(server, connector);
    }

    /** What Jetty itself refuses, such as a damaged request line. */
    private static boolean error(Request request, Response response, Callback callback) {
        int status = response.getStatus();
        String message = status == HttpError.TIMEOUT ? "the client closed its connection, or did not go on"
                : "the request cannot be read";
        String body = "{\"error\":{\"message\":\"" + message + "\",\"type\":\"invalid_request_error\","
                + "\"param\":null,\"code\":\"" + status + "\"}}";
        response.getHeaders().put(HttpHeader.CONTENT_TYPE, "application/json");
        Content.Sink.write(response, true, body, callback);
        return true;
    }

    public URI address() {
        InetSocketAddress at = new InetSocketAddress(connector.getHost(), connector.getLocalPort());
        String host = connector.getHost();
        return URI.create("http://" + (host.contains(":") ? "[" + host + "]" : host) + ":" + at.getPort());
    }

    /** Takes no more connections; those that are open go on. */
    public void stopListening() {
        connector.close();
    }

    @Override
    public void close() {
        try {
            server.stop();
        } catch (Exception e) {
            throw new IllegalStateException("the HTTP server does not stop: " + e.getMessage(), e);
        }
    }
}
