package jdiffusion.server.openai;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.time.Instant;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdiffusion.model.image.Picture;
import jdiffusion.model.request.json.Fields;
import jdiffusion.server.calls.Calls;
import jdiffusion.server.draw.PreparedRequest;
import jdiffusion.server.draw.ServedModel;
import jdiffusion.server.http.Api;
import jdiffusion.server.http.EventStream;
import jdiffusion.server.http.Exchange;
import jdiffusion.server.http.HttpError;
import jdiffusion.server.http.Json;
import jdiffusion.server.http.Routes;
import jdiffusion.server.jobs.Job;
import jdiffusion.server.jobs.JobEvent;
import jdiffusion.server.jobs.JobPicture;

/** OpenAI's interface for images, with fields of our own for what it lacks. */
public final class OpenAiApi implements Api {
    /** Beginning of the paths of pictures, which are known to those alone whom they were given. */
    public static final String FILES = "/v1/images/files/";
    private static final Pattern FILE = Pattern.compile("([0-9a-f]{32})-(\\d{1,4})\\.(png|jpeg)");
    private static final long KEEP_OPEN_NANOS = 15_000_000_000L;
    private static final long STARTED = Instant.now().getEpochSecond();

    private final Calls calls;
    private final ImageRequests requests;

    public OpenAiApi(Calls calls) {
        this.calls = calls;
        this.requests = new ImageRequests(calls);
    }

    @Override
    public String name() {
        return "openai";
    }

    @Override
    public String prefix() {
        return "/v1/";
    }

    @Override
    public ObjectNode error(HttpError error) {
        String type = switch (error.status()) {
            case HttpError.UNAUTHORIZED -> "authentication_error";
            case HttpError.TOO_MANY -> "rate_limit_error";
            case HttpError.FAILED, HttpError.UNAVAILABLE -> "server_error";
            default -> "invalid_request_error";
        };
        ObjectNode body = Json.object();
        body.putObject("error").put("message", error.getMessage()).put("type", type).put("param", error.parameter())
                .put("code", error.code());
        return body;
    }

    @Override
    public void addTo(Routes routes) {
        routes.add("POST", "/v1/images/generations", exchange -> answer(exchange,
                requests.generation(new Fields(exchange.json()))));
        routes.add("POST", "/v1/images/edits", exchange -> answer(exchange, requests.edit(exchange.form())));
        routes.add("GET", FILES + "{file}", this::file);
        routes.add("GET", "/v1/models", this::models);
        routes.add("GET", "/v1/models/{id}", exchange -> exchange.json(200, model(find(exchange.variable("id")))));
    }

    private void models(Exchange exchange) throws IOException {
        ObjectNode body = Json.object().put("object", "list");
        ArrayNode data = body.putArray("data");
        calls.preparer().servedModels().all().forEach(model -> data.add(model(model)));
        exchange.json(200, body);
    }

    private ServedModel find(String id) {
        return calls.preparer().servedModels().all().stream().filter(model -> model.id().equals(id)).findFirst()
                .orElseThrow(() -> new HttpError(HttpError.NOT_FOUND, "model_not_found", "there is no such model"));
    }

    private static ObjectNode model(ServedModel model) {
        return Json.object().put("id", model.id()).put("object", "model").put("created", STARTED)
                .put("owned_by", "jdiffusion");
    }

    private void answer(Exchange exchange, ImageRequest request) throws IOException {
        PreparedRequest prepared = calls.prepared(request.asked());
        if (request.stream()) {
            stream(exchange, request, prepared);
            return;
        }
        Job job = calls.draw(exchange, prepared);
        ObjectNode body = described(Json.object().put("created", Instant.now().getEpochSecond()), request, prepared);
        ArrayNode data = body.putArray("data");
        for (JobPicture picture : job.pictures()) {
            ObjectNode item = data.addObject();
            if (request.url()) {
                item.put("url", exchange.base() + FILES + job.id() + "-" + picture.index() + "." + request.format());
            } else {
                item.put("b64_json", request.encode(picture));
            }
            item.putNull("revised_prompt");
            item.put("seed", Long.toUnsignedString(picture.seed())).put("parameters", picture.text());
        }
        body.set("usage", usage(prepared, job.pictures().size()));
        exchange.json(200, body);
    }

    private static ObjectNode described(ObjectNode json, ImageRequest request, PreparedRequest prepared) {
        return json.put("size", prepared.request().width() + "x" + prepared.request().height()).put("quality", "auto")
                .put("background", "opaque").put("output_format", request.format());
    }

    /** Tokens as this program's models count them: of the prompt, of pictures to start from, and of those drawn. */
    private static ObjectNode usage(PreparedRequest prepared, int pictures) {
        int patch = prepared.model().patch();
        int each = prepared.request().width() / patch * (prepared.request().height() / patch);
        int text = prepared.model().tokens(prepared.request().prompt());
        int image = prepared.inputs().init() == null ? 0 : each;
        ObjectNode usage = Json.object().put("input_tokens", text + image);
        usage.putObject("input_tokens_details").put("text_tokens", text).put("image_tokens", image);
        return usage.put("output_tokens", each * pictures).put("total_tokens", text + image + each * pictures);
    }

    /** Partial pictures come after equal parts of the way; those that are late come before the end all the same. */
    private void stream(Exchange exchange, ImageRequest request, PreparedRequest prepared) throws IOException {
        Job job = calls.submit(exchange, prepared, true, previews(request, prepared));
        try (Job.Listening listening = job.listen()) {
            EventStream stream = exchange.events();
            stream.open();
            int[] partial = {0};
            calls.follow(listening, 0, entry -> {
                if (entry.event() instanceof JobEvent.Preview preview && partial[0] < request.partials()) {
                    Picture large = preview.picture().resized(prepared.request().width(), prepared.request().height());
                    send(stream, request, prepared, ".partial_image", request.encode(large),
                            Json.object().put("partial_image_index", partial[0]++));
                } else if (entry.event() instanceof JobEvent.Drawn drawn) {
                    ObjectNode more = Json.object().put("seed", Long.toUnsignedString(drawn.picture().seed()))
                            .put("parameters", drawn.picture().text());
                    more.set("usage", usage(prepared, 1));
                    send(stream, request, prepared, ".completed", request.encode(drawn.picture()), more);
                }
            }, () -> stream.keepOpen(KEEP_OPEN_NANOS));
            try {
                calls.checkDrawn(job);
            } catch (HttpError e) {
                stream.send(null, "error", error(e));
            }
            stream.end();
        }
    }

    private static void send(EventStream stream, ImageRequest request, PreparedRequest prepared, String what, String base64,
                             ObjectNode more) throws IOException {
        String type = (request.edits() ? "image_edit" : "image_generation") + what;
        ObjectNode json = described(Json.object().put("type", type).put("b64_json", base64)
                .put("created_at", Instant.now().getEpochSecond()), request, prepared);
        json.setAll(more);
        stream.send(null, type, json);
    }

    private static Set<Integer> previews(ImageRequest request, PreparedRequest prepared) {
        Set<Integer> at = new LinkedHashSet<>();
        int evaluations = prepared.model().evaluations(prepared.picture(0));
        for (int i = 1; i <= request.partials(); i++) {
            at.add(Math.max(1, i * evaluations / (request.partials() + 1)));
        }
        return at;
    }

    private void file(Exchange exchange) throws IOException {
        Matcher name = FILE.matcher(exchange.variable("file"));
        Job job = name.matches() ? calls.jobs().find(name.group(1)) : null;
        List<JobPicture> pictures = job == null ? List.of() : job.pictures();
        for (JobPicture picture : pictures) {
            if (picture.index() == Integer.parseInt(name.group(2))) {
                boolean png = name.group(3).equals("png");
                exchange.bytes(200, "image/" + name.group(3), png ? picture.png()
                        : ImageRequest.jpeg(picture.picture(), ImageRequest.USUAL_QUALITY));
                return;
            }
        }
        throw HttpError.notFound("there is no such picture, or it was drawn too long ago");
    }
}
