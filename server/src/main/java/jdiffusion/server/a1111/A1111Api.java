package jdiffusion.server.a1111;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import jdiffusion.model.image.Png;
import jdiffusion.model.request.json.Fields;
import jdiffusion.model.settings.Infotext;
import jdiffusion.server.calls.Calls;
import jdiffusion.server.http.Api;
import jdiffusion.server.http.Exchange;
import jdiffusion.server.http.HttpError;
import jdiffusion.server.http.Json;
import jdiffusion.server.http.Routes;
import jdiffusion.server.jobs.Job;
import jdiffusion.server.jobs.JobEvent;

/** The interface of AUTOMATIC1111's web UI, as far as its clients use it. */
public final class A1111Api implements Api {
    private static final String PREFIX = "/sdapi/v1/";
    private static final Duration PREVIEWS = Duration.ofSeconds(5);

    private final Calls calls;
    private final Lists lists;
    private final Generation generation;

    /** @param version of the program */
    public A1111Api(Calls calls, String version) {
        this.calls = calls;
        this.lists = new Lists(calls.preparer());
        this.generation = new Generation(calls, version);
    }

    @Override
    public String name() {
        return "a1111";
    }

    @Override
    public String prefix() {
        return PREFIX;
    }

    @Override
    public ObjectNode error(HttpError error) {
        return problem(error);
    }

    static ObjectNode problem(HttpError error) {
        return Json.object().put("error", error.code()).put("detail", error.getMessage()).put("body", "")
                .put("errors", error.getMessage());
    }

    @Override
    public void addTo(Routes routes) {
        post(routes, "txt2img", exchange -> generation.answer(exchange, false));
        post(routes, "img2img", exchange -> generation.answer(exchange, true));
        post(routes, "png-info", this::pngInfo);
        get(routes, "progress", this::progress);
        post(routes, "interrupt", exchange -> end(exchange, Job::interrupt));
        post(routes, "skip", exchange -> end(exchange, Job::skip));
        get(routes, "options", exchange -> exchange.json(200, lists.options()));
        post(routes, "options", this::choose);
        post(routes, "refresh-checkpoints", exchange -> {
            calls.preparer().servedModels().refresh();
            exchange.json(200, Json.object().nullNode());
        });
        post(routes, "refresh-loras", exchange -> exchange.json(200, Json.object().nullNode()));
        lists.all().forEach((name, list) -> get(routes, name, exchange -> exchange.json(200, list.get())));
        for (String name : List.of("extra-single-image", "extra-batch-images", "interrogate")) {
            post(routes, name, _ -> {
                throw new HttpError(HttpError.UNPROCESSABLE, "not_supported", "this server cannot do " + name);
            });
        }
    }

    private static void get(Routes routes, String name, Routes.Handler handler) {
        routes.add("GET", PREFIX + name, handler);
    }

    private static void post(Routes routes, String name, Routes.Handler handler) {
        routes.add("POST", PREFIX + name, handler);
    }

    /** Clients send back all that they got, of which only the model can be chosen. */
    private void choose(Exchange exchange) throws IOException {
        String model = new Fields(exchange.json()).text(Lists.CHECKPOINT);
        if (model != null && !model.isEmpty()) {
            calls.preparer().servedModels().choose(calls.model(Lists.name(model)).id());
        }
        exchange.json(200, Json.object().nullNode());
    }

    private void pngInfo(Exchange exchange) throws IOException {
        byte[] png = new Fields(exchange.json()).file("image");
        if (png == null) {
            throw HttpError.badField("image", "the picture is missing");
        }
        Map<String, String> texts = Png.texts(png, "image");
        String info = texts.getOrDefault(Infotext.KEYWORD, "");
        ObjectNode body = Json.object().put("info", info);
        ObjectNode items = body.putObject("items");
        texts.forEach(items::put);
        ObjectNode parameters = body.putObject("parameters");
        if (!info.isEmpty()) {
            Infotext parsed = Infotext.parse(info);
            parameters.put("Prompt", parsed.prompt()).put("Negative prompt", parsed.negativePrompt());
            parsed.fields().forEach(parameters::put);
        }
        exchange.json(200, body);
    }

    /** A client's own job that is drawn, else one of its that waits, else the one that is drawn; null for none. */
    private Job meant(Exchange exchange) {
        Job running = calls.jobs().running();
        if (running != null && running.client().equals(exchange.client())) {
            return running;
        }
        Job waiting = calls.jobs().all().reversed().stream().filter(job -> !job.state().isEnd()
                && job.client().equals(exchange.client())).findFirst().orElse(null);
        return waiting != null ? waiting : running;
    }

    /** What is done to a job. */
    @FunctionalInterface
    private interface Ending {
        void end(Job job);
    }

    private void end(Exchange exchange, Ending ending) throws IOException {
        exchange.discardBody();
        Job job = meant(exchange);
        if (job != null && job.place() > 0) {
            calls.jobs().cancel(job);
        } else if (job != null) {
            ending.end(job);
        }
        exchange.json(200, Json.object().nullNode());
    }

    private void progress(Exchange exchange) throws IOException {
        Job job = meant(exchange);
        boolean withPicture = !"true".equalsIgnoreCase(exchange.query("skip_current_image"));
        JobEvent.Step step = job == null ? null : job.step();
        int pictures = job == null ? 0 : job.prepared().request().images();
        int total = step == null ? job == null ? 0 : job.prepared().request().steps() : step.total();
        double share = step == null ? 0 : (step.image() + step.done() / (double) step.total()) / pictures;
        ObjectNode body = Json.object().put("progress", share)
                .put("eta_relative", step == null ? 0 : step.seconds());
        body.putObject("state").put("skipped", false).put("interrupted", job != null && job.isCancelled())
                .put("stopping_generation", false).put("job", job == null ? "" : job.id())
                .put("job_count", pictures)
                .put("job_timestamp", job == null ? "0" : Generation.timestamp(job.created()))
                .put("job_no", step == null ? 0 : step.image())
                .put("sampling_step", step == null ? 0 : step.done()).put("sampling_steps", total);
        JobEvent.Preview preview = null;
        if (job != null && withPicture) {
            job.wantPreviews(PREVIEWS);
            preview = job.preview();
        }
        body.put("current_image", preview == null ? null
                : Base64.getEncoder().encodeToString(Png.encode(preview.picture(), Map.of())));
        body.put("textinfo", job == null ? null : job.place() > 0 ? "waiting at place " + job.place() : null);
        exchange.json(200, body);
    }
}
