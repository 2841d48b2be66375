package jdiffusion.server.http;

import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/** Which code answers which method and path. */
public final class Routes {
    /** Answers a request; may block. */
    @FunctionalInterface
    public interface Handler {
        void handle(Exchange exchange) throws IOException;
    }

    /**
     * A route that fits a request.
     *
     * @param pattern   as it was given, for metrics
     * @param variables of the pattern, by name
     */
    record Match(String pattern, Handler handler, Map<String, String> variables) {
    }

    private record Route(String method, String pattern, List<String> segments, Handler handler) {
        /** The pattern's variables; null where the path is another. */
        Map<String, String> match(List<String> path) {
            if (path.size() != segments.size()) {
                return null;
            }
            Map<String, String> variables = new LinkedHashMap<>();
            for (int i = 0; i < segments.size(); i++) {
                String segment = segments.get(i);
                if (segment.startsWith("{")) {
                    variables.put(segment.substring(1, segment.length() - 1), path.get(i));
                } else if (!segment.equals(path.get(i))) {
                    return null;
                }
            }
            return variables;
        }
    }

    private final List<Route> routes = new ArrayList<>();

    /** @param pattern such as {@code /v1/models/{id}}; a variable stands for one whole segment */
    public void add(String method, String pattern, Handler handler) {
        routes.add(new Route(method, pattern, segments(pattern), handler));
    }

    private static List<String> segments(String path) {
        return List.of(path.substring(1).split("/", -1));
    }

    /**
     * The route of a request. HEAD is GET; OPTIONS says what is allowed where nothing else answers it.
     *
     * @param path decoded, beginning with a slash
     * @throws HttpError with 404 or 405 when there is none
     */
    Match find(String method, String path) {
        List<String> given = segments(path);
        TreeSet<String> allowed = new TreeSet<>();
        String pattern = null;
        String wanted = method.equals("HEAD") ? "GET" : method;
        for (Route route : routes) {
            Map<String, String> variables = route.match(given);
            if (variables != null) {
                if (route.method.equals(wanted)) {
                    return new Match(route.pattern, route.handler, variables);
                }
                allowed.add(route.method);
                pattern = route.pattern;
            }
        }
        if (pattern == null) {
            throw HttpError.notFound("there is nothing at this address");
        }
        if (allowed.contains("GET")) {
            allowed.add("HEAD");
        }
        allowed.add("OPTIONS");
        String methods = String.join(", ", allowed);
        Handler handler = exchange -> {
            exchange.setHeader("Allow", methods);
            if (method.equals("OPTIONS")) {
                exchange.empty(204);
            } else {
                throw new HttpError(HttpError.WRONG_METHOD, "method_not_allowed", "this address takes " + methods);
            }
        };
        return new Match(pattern, handler, Map.of());
    }
}
