package jdiffusion.server.page;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import jdiffusion.server.http.Api;
import jdiffusion.server.http.Exchange;
import jdiffusion.server.http.HttpError;
import jdiffusion.server.http.Json;
import jdiffusion.server.http.Routes;

/** The page at the root. It is a client of the own interface, made of files that are sent as they are. */
public final class Page implements Api {
    /** What the paths of its files begin with. */
    public static final String FILES = "/page/";
    private static final String START = "index.html";
    private static final List<String> NAMES = List.of(START, "style.css", "icon.svg", "api.js", "app.js",
            "compare.js", "dom.js", "form.js", "gallery.js", "inputs.js", "jobs.js", "mask.js", "plan.js", "size.js",
            "webcam.js");
    private static final Map<String, String> TYPES = Map.of("html", "text/html; charset=utf-8", "css",
            "text/css; charset=utf-8", "svg", "image/svg+xml", "js", "text/javascript; charset=utf-8");
    /** Nothing comes from elsewhere, and no script or style stands in the page itself. */
    private static final String POLICY = "default-src 'self'; img-src 'self' data: blob:; object-src 'none';"
            + " base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

    /** @param tag changes with the bytes */
    private record File(String type, byte[] bytes, String tag) {
    }

    @Override
    public String name() {
        return "page";
    }

    @Override
    public String prefix() {
        return FILES;
    }

    @Override
    public ObjectNode error(HttpError error) {
        ObjectNode body = Json.object();
        body.putObject("error").put("message", error.getMessage()).put("code", error.code());
        return body;
    }

    @Override
    public void addTo(Routes routes) {
        for (String name : NAMES) {
            File file = file(name);
            routes.add("GET", name.equals(START) ? "/" : FILES + name, exchange -> send(exchange, file));
        }
    }

    private static File file(String name) {
        try (InputStream in = Page.class.getResourceAsStream(name)) {
            byte[] bytes = in.readAllBytes();
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(bytes);
            return new File(TYPES.get(name.substring(name.indexOf('.') + 1)), bytes,
                    '"' + HexFormat.of().formatHex(digest, 0, 8) + '"');
        } catch (IOException | NoSuchAlgorithmException e) {
            throw new IllegalStateException(name + ": " + e.getMessage(), e);
        }
    }

    private static void send(Exchange exchange, File file) throws IOException {
        exchange.setHeader("Content-Security-Policy", POLICY);
        exchange.setHeader("Referrer-Policy", "no-referrer");
        exchange.setHeader("Cache-Control", "no-cache");
        exchange.setHeader("ETag", file.tag);
        if (file.tag.equals(exchange.header("If-None-Match"))) {
            exchange.empty(304);
        } else {
            exchange.bytes(200, file.type, file.bytes);
        }
    }
}
