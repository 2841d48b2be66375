package jdiffusion.server.mcp;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.Locale;
import jdiffusion.server.http.EventStream;
import jdiffusion.server.http.Json;
import jdiffusion.server.jobs.JobEvent;

/** Tells a client how far its pictures are, in evaluations of the denoiser. The number grows with every report. */
final class ProgressReports {
    private static final long APART_NANOS = 100_000_000;
    private static final double WAITING_STEP = 0.001;

    private final EventStream stream;
    private final JsonNode token;
    private final int images;
    private double last = -1;
    private long lastSent;

    /** @param images that the job draws */
    ProgressReports(EventStream stream, JsonNode token, int images) {
        this.stream = stream;
        this.token = token;
        this.images = images;
    }

    void event(JobEvent event) throws IOException {
        switch (event) {
            case JobEvent.Queued queued when last + WAITING_STEP < 1 -> send(Math.max(0, last + WAITING_STEP), 0,
                    "place " + queued.place() + " in the queue");
            case JobEvent.Step step -> step(step);
            default -> { }
        }
    }

    private void step(JobEvent.Step step) throws IOException {
        double done = (double) step.image() * step.total() + step.done();
        int total = step.total() * images;
        if (done > last && (done == total || System.nanoTime() - lastSent > APART_NANOS)) {
            send(done, total, String.format(Locale.ROOT, "%sstep %d of %d, %.0f s left",
                    images == 1 ? "" : "picture " + (step.image() + 1) + " of " + images + ", ", step.done(),
                    step.total(), step.seconds()));
        }
    }

    /** @param total 0 where it is not known */
    private void send(double progress, int total, String message) throws IOException {
        ObjectNode parameters = Json.object();
        parameters.set("progressToken", token);
        parameters.put("progress", progress);
        if (total > 0) {
            parameters.put("total", total);
        }
        stream.send(null, "message", Message.notification("notifications/progress",
                parameters.put("message", message)));
        last = progress;
        lastSent = System.nanoTime();
    }
}
