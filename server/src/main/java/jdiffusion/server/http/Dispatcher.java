package jdiffusion.server.http;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Semaphore;
import java.util.function.Consumer;
import java.util.function.Predicate;
import jdiffusion.kernels.DeviceException;
import jdiffusion.server.metrics.Metrics;
import jdiffusion.model.request.FieldException;
import jdiffusion.tensor.InputException;
import org.eclipse.jetty.http.HttpException;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;

/** Brings each request to the code of its route, on a virtual thread of its own, and its failures into an answer. */
final class Dispatcher extends Handler.Abstract {
    /** Bodies of the largest size that are held at a time. */
    private static final long BODIES = 4;
    private static final long LEAST_BODIES = 64L << 20;

    /** Paths that are answered without a key: they say nothing but that the server runs, or cannot be guessed. */
    private final Predicate<String> open;
    private final List<Api> apis;
    private final Routes routes = new Routes();
    private final Access access;
    private final long mostBody;
    private final Semaphore bodies;
    private final Metrics metrics;
    private final Consumer<String> log;

    /** @param apis the one whose prefix fits first counts; the last fits always */
    Dispatcher(List<Api> apis, Access access, Predicate<String> open, long mostBody, Metrics metrics,
               Consumer<String> log) {
        this.apis = List.copyOf(apis);
        this.open = open;
        this.access = access;
        this.mostBody = mostBody;
        this.bodies = new Semaphore((int) Math.clamp(BODIES * mostBody, LEAST_BODIES, Integer.MAX_VALUE));
        this.metrics = metrics;
        this.log = log;
        apis.forEach(api -> api.addTo(routes));
    }

    @Override
    public boolean handle(Request request, Response response, Callback callback) {
        long start = System.nanoTime();
        String path = request.getHttpURI().getDecodedPath();
        Api api = apis.stream().filter(one -> path.startsWith(one.prefix())).findFirst().orElseThrow();
        // A picture may take longer than a connection may be silent.
        request.addIdleTimeoutListener(_ -> false);
        var guarded = new Guarded(request, response, api, path);
        String outcome = "gone";
        try {
            guarded.run();
            callback.succeeded();
            outcome = response.getStatus() / 100 + "xx";
        } catch (IOException e) {
            // A client that has closed its side alone still hears why; for any other failure Jetty would say 500.
            callback.failed(new HttpException.RuntimeException(HttpError.TIMEOUT, e));
        } finally {
            long nanos = System.nanoTime() - start;
            metrics.request(api.name(), guarded.pattern, outcome, nanos);
            log.accept(Instant.now().truncatedTo(ChronoUnit.MILLIS) + " " + guarded.client + " "
                    + InputException.shown(request.getMethod() + " " + request.getHttpURI().getPath()) + " "
                    + (outcome.equals("gone") ? outcome : response.getStatus()) + " " + nanos / 1_000_000 + " ms");
        }
        return true;
    }

    /** One request with what is found out about it on the way. */
    private final class Guarded {
        private final Request request;
        private final Response response;
        private final Api api;
        private final String path;
        private String client;
        private String pattern = "none";

        Guarded(Request request, Response response, Api api, String path) {
            this.request = request;
            this.response = response;
            this.api = api;
            this.path = path;
            this.client = address() == null ? "unknown" : address().getHostAddress();
        }

        private InetAddress address() {
            return request.getConnectionMetaData().getRemoteSocketAddress() instanceof InetSocketAddress socket
                    ? socket.getAddress() : null;
        }

        void run() throws IOException {
            response.getHeaders().put("X-Content-Type-Options", "nosniff");
            response.getHeaders().put("Cache-Control", "no-store");
            HttpError error;
            try {
                answer();
                return;
            } catch (HttpError e) {
                error = e;
            } catch (FieldException e) {
                error = HttpError.badField(e.field(), e.code(), e.getMessage());
            } catch (InputException e) {
                error = HttpError.badRequest(e.getMessage());
            } catch (DeviceException e) {
                log.accept("the device failed: " + e.getMessage());
                error = new HttpError(HttpError.UNAVAILABLE, "device_failed", e.getMessage());
            } catch (OutOfMemoryError e) {
                error = HttpError.later(HttpError.UNAVAILABLE, "out_of_memory", "the server is out of memory", 10);
            } catch (RuntimeException | StackOverflowError e) {
                log.accept("unexpected " + e + at(e));
                error = new HttpError(HttpError.FAILED, "internal", "the server failed; its log says more");
            }
            if (response.isCommitted()) {
                throw new IOException(error.getMessage());
            }
            fail(error);
        }

        private void answer() throws IOException {
            access.check(request.getHeaders().get("Host"), request.getHeaders().get("Origin"));
            client = access.client(request.getHeaders().get("Authorization"), Login.token(request), address(),
                    !open.test(path));
            Routes.Match match = routes.find(request.getMethod(), path);
            pattern = match.pattern();
            Exchange exchange = exchange(match.variables());
            try {
                match.handler().handle(exchange);
            } finally {
                exchange.dropBody();
            }
        }

        private Exchange exchange(Map<String, String> variables) {
            return new Exchange(request, response, variables, client, mostBody, bodies);
        }

        private void fail(HttpError error) throws IOException {
            Exchange exchange = exchange(Map.of());
            if (error.retryAfter() > 0) {
                exchange.setHeader("Retry-After", Integer.toString(error.retryAfter()));
            }
            // The page asks for the key itself, where browsers would for this header.
            if (error.status() == HttpError.UNAUTHORIZED && request.getHeaders().get(Login.OF_PAGE) == null) {
                exchange.setHeader("WWW-Authenticate", "Basic realm=\"jdiffusion\", Bearer");
            }
            exchange.json(error.status(), api.error(error));
        }

        private static String at(Throwable e) {
            return e.getStackTrace().length == 0 ? "" : " at " + e.getStackTrace()[0];
        }
    }
}
