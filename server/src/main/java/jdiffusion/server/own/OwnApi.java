package jdiffusion.server.own;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import jdiffusion.model.request.json.Fields;
import jdiffusion.model.settings.Infotext;
import jdiffusion.model.stage.MemoryPlan;
import jdiffusion.model.stage.StageMemory;
import jdiffusion.server.calls.Calls;
import jdiffusion.server.draw.PreparedRequest;
import jdiffusion.server.http.Api;
import jdiffusion.server.http.EventStream;
import jdiffusion.server.http.Exchange;
import jdiffusion.server.http.HttpError;
import jdiffusion.server.http.Json;
import jdiffusion.server.http.Routes;
import jdiffusion.server.jobs.History;
import jdiffusion.server.jobs.Job;
import jdiffusion.server.jobs.JobEvent;
import jdiffusion.server.jobs.JobPicture;

/** The interface that has all the server can do: jobs with events, the history, options, plans. */
public final class OwnApi implements Api {
    private static final String PREFIX = "/api/v1";
    private static final String PNG = ".png";
    private static final String PNG_TYPE = "image/png";
    private static final Duration PREVIEWS = Duration.ofSeconds(5);
    private static final long KEEP_OPEN_NANOS = 15_000_000_000L;
    private static final int PAGE = 50;
    private static final int LARGEST_PAGE = 200;
    private static final Pattern NUMBER = Pattern.compile("\\d{1,9}");

    private final Calls calls;
    private final FieldReader wishes;
    private final Options options;
    private final SettingsJson settings;

    /** @param options what can be asked for */
    public OwnApi(Calls calls, Options options) {
        this.calls = calls;
        this.wishes = new FieldReader(calls);
        this.options = options;
        this.settings = new SettingsJson(calls.preparer().servedModels());
    }

    @Override
    public String name() {
        return "own";
    }

    @Override
    public String prefix() {
        return PREFIX + "/";
    }

    @Override
    public ObjectNode error(HttpError error) {
        ObjectNode body = Json.object();
        body.putObject("error").put("message", error.getMessage()).put("code", error.code())
                .put("field", error.parameter());
        return body;
    }

    @Override
    public void addTo(Routes routes) {
        routes.add("GET", PREFIX + "/options", exchange -> exchange.json(200, options.json()));
        routes.add("POST", PREFIX + "/plan", this::plan);
        routes.add("POST", PREFIX + "/jobs", this::post);
        routes.add("GET", PREFIX + "/jobs", this::list);
        routes.add("GET", PREFIX + "/jobs/{id}", exchange -> exchange.json(200, JobJson.of(job(exchange))));
        routes.add("DELETE", PREFIX + "/jobs/{id}", this::cancel);
        routes.add("GET", PREFIX + "/jobs/{id}/events", this::events);
        routes.add("GET", PREFIX + "/jobs/{id}/images/{file}", this::picture);
        routes.add("GET", PREFIX + "/images", this::history);
        routes.add("GET", PREFIX + "/images/{file}", this::kept);
        routes.add("DELETE", PREFIX + "/images/{file}", this::delete);
        routes.add("GET", PREFIX + "/images/{file}/settings", this::settingsOfKept);
        routes.add("POST", PREFIX + "/settings", this::settings);
    }

    private void post(Exchange exchange) throws IOException {
        Fields fields = new Fields(exchange.json());
        boolean needsListener = Boolean.TRUE.equals(fields.flag(FieldReader.CANCEL_ON_DISCONNECT));
        PreparedRequest prepared = calls.prepared(wishes.read(fields));
        boolean keep = !Boolean.FALSE.equals(fields.flag(FieldReader.KEEP));
        Job job = calls.submit(exchange, prepared, needsListener, keep, Set.of());
        exchange.setHeader("Location", JobJson.address(job));
        exchange.json(202, JobJson.of(job));
    }

    private Job job(Exchange exchange) {
        Job job = calls.jobs().find(exchange.variable("id"));
        if (job == null) {
            throw HttpError.notFound("there is no such job, or it ended too long ago");
        }
        return job;
    }

    /** Those of the client that asks. */
    private void list(Exchange exchange) throws IOException {
        ObjectNode body = Json.object();
        ArrayNode jobs = body.putArray("jobs");
        calls.jobs().all().stream().filter(job -> job.client().equals(exchange.client())).limit(LARGEST_PAGE)
                .forEach(job -> jobs.add(JobJson.of(job)));
        exchange.json(200, body);
    }

    private void cancel(Exchange exchange) throws IOException {
        Job job = job(exchange);
        calls.jobs().cancel(job);
        exchange.json(200, JobJson.of(job));
    }

    private void events(Exchange exchange) throws IOException {
        Job job = job(exchange);
        boolean previews = !"false".equals(exchange.query("preview"));
        String last = exchange.header("Last-Event-ID");
        long after = last != null && NUMBER.matcher(last).matches() ? Long.parseLong(last) : 0;
        EventStream stream = exchange.events();
        stream.open();
        try (Job.Listening listening = job.listen()) {
            calls.follow(listening, after, entry -> {
                renew(job, previews);
                JobEvent event = entry.event();
                if (previews || !(event instanceof JobEvent.Preview)) {
                    stream.send(Long.toString(entry.id()), JobJson.name(event), JobJson.event(job, event));
                }
            }, () -> {
                renew(job, previews);
                stream.keepOpen(KEEP_OPEN_NANOS);
            });
        }
        stream.end();
    }

    private static void renew(Job job, boolean previews) {
        if (previews) {
            job.wantPreviews(PREVIEWS);
        }
    }

    private void picture(Exchange exchange) throws IOException {
        String number = stem(exchange);
        if (NUMBER.matcher(number).matches()) {
            for (JobPicture picture : job(exchange).pictures()) {
                if (picture.index() == Integer.parseInt(number)) {
                    exchange.bytes(200, PNG_TYPE, picture.png());
                    return;
                }
            }
        }
        throw HttpError.notFound("the job has no such picture");
    }

    private static String stem(Exchange exchange) {
        String file = exchange.variable("file");
        return file.endsWith(PNG) ? file.substring(0, file.length() - PNG.length()) : file;
    }

    private void history(Exchange exchange) throws IOException {
        ObjectNode body = Json.object();
        History history = calls.jobs().history();
        int limit = exchange.query("limit", PAGE, 1, LARGEST_PAGE);
        body.put("kept", history != null);
        ArrayNode images = body.putArray("images");
        if (history != null) {
            // One more than is shown says whether there is another page.
            List<History.Item> items = history.page(exchange.query("before"), limit + 1);
            items.stream().limit(limit).forEach(item -> images.add(json(item)));
            body.put("next", items.size() > limit ? items.get(limit - 1).name() : null);
        }
        exchange.json(200, body);
    }

    private static ObjectNode json(History.Item item) {
        return Json.object().put("id", item.name()).put("url", PREFIX + "/images/" + item.name() + PNG)
                .put("time", item.time().toString()).put("bytes", item.bytes()).put("parameters", item.text())
                .put("prompt", item.text() == null ? null : Infotext.parse(item.text()).prompt());
    }

    /** A picture's file where its name has the ending, else what is known of it. */
    private void kept(Exchange exchange) throws IOException {
        History history = calls.jobs().history();
        String name = stem(exchange);
        boolean file = exchange.variable("file").endsWith(PNG);
        byte[] png = history == null || !file ? null : history.png(name);
        History.Item item = history == null || file ? null : history.item(name);
        if (png != null) {
            exchange.bytes(200, PNG_TYPE, png);
        } else if (item != null) {
            exchange.json(200, json(item));
        } else {
            throw HttpError.notFound("there is no such picture");
        }
    }

    private void delete(Exchange exchange) throws IOException {
        History history = calls.jobs().history();
        if (history == null || !history.delete(stem(exchange))) {
            throw HttpError.notFound("there is no such picture");
        }
        exchange.empty(204);
    }

    /** The settings of a picture that the client has, in base64. */
    private void settings(Exchange exchange) throws IOException {
        byte[] picture = new Fields(exchange.json()).file("picture");
        if (picture == null) {
            throw HttpError.badField("picture", "picture must be a file in base64");
        }
        exchange.json(200, settings.of(picture));
    }

    private void settingsOfKept(Exchange exchange) throws IOException {
        History history = calls.jobs().history();
        byte[] png = history == null ? null : history.png(stem(exchange));
        if (png == null) {
            throw HttpError.notFound("there is no such picture");
        }
        exchange.json(200, settings.of(png));
    }

    private void plan(Exchange exchange) throws IOException {
        PreparedRequest prepared = calls.prepared(wishes.read(new Fields(exchange.json())));
        MemoryPlan plan = prepared.model().plan(prepared.picture(0), prepared.control());
        ObjectNode body = JobJson.request(prepared);
        body.put("queue", calls.jobs().waiting());
        ObjectNode memory = body.putObject("memory");
        memory.put("peak", plan.peak()).put("mapped", plan.mapped());
        ArrayNode stages = memory.putArray("stages");
        for (StageMemory stage : plan.stages()) {
            stages.addObject().put("name", stage.name()).put("peak", stage.peak()).put("mapped", stage.mapped())
                    .put("weights", stage.weights()).put("workspace", stage.workspace()).put("tile", stage.tile());
        }
        exchange.json(200, body);
    }
}
