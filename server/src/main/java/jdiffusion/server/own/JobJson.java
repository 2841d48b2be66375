package jdiffusion.server.own;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.math.BigInteger;
import java.util.Map;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.PixelSize;
import jdiffusion.model.image.Png;
import jdiffusion.server.draw.PreparedRequest;
import jdiffusion.server.http.Json;
import jdiffusion.server.jobs.Job;
import jdiffusion.server.jobs.JobEvent;
import jdiffusion.server.jobs.JobPicture;

/** Jobs and their events as JSON. */
final class JobJson {
    private JobJson() {
    }

    static String address(Job job) {
        return "/api/v1/jobs/" + job.id();
    }

    static ObjectNode of(Job job) {
        ObjectNode json = Json.object().put("id", job.id()).put("status", job.state().label())
                .put("queue_position", job.place()).put("created", job.created().toString())
                .put("ended", job.ended() == null ? null : job.ended().toString())
                .put("events_url", address(job) + "/events");
        json.set("request", request(job.prepared()));
        JobEvent.Step step = job.step();
        if (step != null) {
            json.set("step", event(job, step));
        }
        ArrayNode images = json.putArray("images");
        job.pictures().forEach(picture -> images.add(picture(job, picture)));
        json.put("error", job.end() == null ? null : job.end().error());
        return json;
    }

    /** What will be drawn, with nothing left open. */
    static ObjectNode request(PreparedRequest prepared) {
        GenerationRequest r = prepared.request();
        ObjectNode json = Json.object().put("model", prepared.model().id()).put("prompt", prepared.prompt())
                .put("negative_prompt", r.negativePrompt()).put("width", r.width()).put("height", r.height())
                .put("steps", r.steps()).put("guidance", r.guidance())
                .put("sampler", r.sampler().kind().label())
                .put("scheduler", r.schedule() == null ? null : r.schedule().label())
                .put("images", r.images());
        json.put("seed", new BigInteger(Long.toUnsignedString(r.seed())));
        if (r.init() != null) {
            json.put("strength", r.strength()).put("mask", r.mask() != null);
        }
        if (r.hires() != null) {
            json.putObject("hires").put("width", r.hires().width()).put("height", r.hires().height())
                    .put("strength", r.hires().strength()).put("steps", r.hires().steps())
                    .put("upscaler", r.hires().upscaler().label());
        }
        PixelSize size = r.finalSize();
        json.putObject("picture").put("width", size.width()).put("height", size.height());
        ArrayNode notes = json.putArray("notes");
        prepared.notes().forEach(notes::add);
        return json;
    }

    private static ObjectNode picture(Job job, JobPicture picture) {
        ObjectNode json = Json.object().put("index", picture.index());
        json.put("seed", new BigInteger(Long.toUnsignedString(picture.seed())));
        return json.put("url", address(job) + "/images/" + picture.index() + ".png")
                .put("stored", picture.stored() == null ? null : "/api/v1/images/" + picture.stored() + ".png")
                .put("whole", picture.whole()).put("parameters", picture.text());
    }

    /** Under which name an event is sent. */
    static String name(JobEvent event) {
        return switch (event) {
            case JobEvent.Queued _ -> "queued";
            case JobEvent.Stage _ -> "stage";
            case JobEvent.Step _ -> "step";
            case JobEvent.Preview _ -> "preview";
            case JobEvent.Note _ -> "note";
            case JobEvent.Drawn _ -> "image";
            case JobEvent.Ended ended -> switch (ended.state()) {
                case COMPLETED -> "done";
                case CANCELLED -> "cancelled";
                default -> "error";
            };
        };
    }

    static ObjectNode event(Job job, JobEvent event) {
        return switch (event) {
            case JobEvent.Queued queued -> Json.object().put("place", queued.place());
            case JobEvent.Stage stage -> Json.object().put("image", stage.image()).put("name", stage.name());
            case JobEvent.Step step -> Json.object().put("image", step.image()).put("i", step.done())
                    .put("n", step.total()).put("eta", step.seconds());
            case JobEvent.Preview preview -> Json.object().put("image", preview.image()).put("i", preview.done())
                    .put("n", preview.total()).put("png", Png.encode(preview.picture(), Map.of()));
            case JobEvent.Note note -> Json.object().put("text", note.text());
            case JobEvent.Drawn drawn -> picture(job, drawn.picture());
            case JobEvent.Ended ended -> ended.error() == null ? of(job)
                    : Json.object().put("message", ended.error());
        };
    }
}
