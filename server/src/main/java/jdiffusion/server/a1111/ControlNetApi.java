package jdiffusion.server.a1111;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import jdiffusion.model.adapter.ControlFolder;
import jdiffusion.server.draw.RequestPreparer;
import jdiffusion.server.http.Api;
import jdiffusion.server.http.HttpError;
import jdiffusion.server.http.Json;
import jdiffusion.server.http.Routes;

/** What clients of the web UI's ControlNet extension ask for when they start. */
public record ControlNetApi(RequestPreparer preparer) implements Api {
    private static final String PREFIX = "/controlnet/";
    /** Of the interface, whose units have the fields that are read here. */
    private static final int VERSION = 3;

    @Override
    public String name() {
        return "controlnet";
    }

    @Override
    public String prefix() {
        return PREFIX;
    }

    @Override
    public ObjectNode error(HttpError error) {
        return A1111Api.problem(error);
    }

    @Override
    public void addTo(Routes routes) {
        routes.add("GET", PREFIX + "version", exchange -> exchange.json(200, Json.object().put("version", VERSION)));
        routes.add("GET", PREFIX + "model_list", exchange -> {
            ObjectNode body = Json.object();
            ArrayNode names = body.putArray("model_list");
            Path folder = preparer.controlFolder();
            if (folder != null) {
                ControlFolder.names(folder).forEach(names::add);
            }
            exchange.json(200, body);
        });
        routes.add("GET", PREFIX + "module_list", exchange -> {
            ObjectNode body = Json.object();
            body.putArray("module_list").add("none");
            body.putObject("module_detail");
            exchange.json(200, body);
        });
    }
}
