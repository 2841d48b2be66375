package jdiffusion.server;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import jdiffusion.server.http.Api;
import jdiffusion.server.http.HttpError;
import jdiffusion.server.http.Json;
import jdiffusion.server.http.Login;
import jdiffusion.server.http.Routes;
import jdiffusion.server.jobs.Jobs;
import jdiffusion.server.metrics.Metrics;
import jdiffusion.server.openai.OpenAiApi;
import jdiffusion.server.page.Page;

/** What those who run the server look at. */
record Operation(Jobs jobs, Metrics metrics) implements Api {
    /** Beginnings of paths that need no key: those of pictures cannot be guessed, and the page is the same for all. */
    private static final List<String> OPEN = List.of("/healthz", "/readyz", OpenAiApi.FILES, Page.FILES, Login.PATH);

    /** Whether a path needs no key. */
    static boolean isOpen(String path) {
        return path.equals("/") || OPEN.stream().anyMatch(path::startsWith);
    }

    @Override
    public String name() {
        return "operation";
    }

    @Override
    public String prefix() {
        return "/";
    }

    @Override
    public ObjectNode error(HttpError error) {
        ObjectNode body = Json.object();
        body.putObject("error").put("message", error.getMessage()).put("code", error.code());
        return body;
    }

    @Override
    public void addTo(Routes routes) {
        routes.add("GET", "/healthz", exchange -> exchange.json(200, Json.object().put("status", "alive")));
        routes.add("GET", "/readyz", exchange -> {
            boolean ready = !jobs.isStopping();
            exchange.json(ready ? 200 : HttpError.UNAVAILABLE,
                    Json.object().put("status", ready ? "ready" : "stopping").put("waiting", jobs.waiting()));
        });
        routes.add("GET", "/metrics", exchange -> exchange.bytes(200, Metrics.TYPE, metrics.text()));
    }
}
