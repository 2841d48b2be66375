package jdiffusion.server.jobs;

import java.util.Locale;
import java.util.function.Consumer;
import java.util.function.Supplier;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.image.Picture;
import jdiffusion.server.draw.DrawingFollower;

/** Tells a job what becomes of its pictures. */
final class JobFollower implements DrawingFollower {
    private static final long PREVIEW_NANOS = 400_000_000;

    private final Job job;
    private final History history;
    private final Consumer<String> log;
    private int image;
    private int total;
    private int done;
    private long evaluationsStart;
    private long evaluations;
    private long nanos;
    private long lastPreview;

    /**
     * @param history where pictures are kept; null for nowhere
     * @param log     told when one could not be
     */
    JobFollower(Job job, History history, Consumer<String> log) {
        this.job = job;
        this.history = history;
        this.log = log;
    }

    @Override
    public void begun(int i) {
        image = i;
        job.endSkip();
        done = 0;
    }

    @Override
    public void started(Stage stage, int units) {
        job.add(new JobEvent.Stage(image, stage.name().toLowerCase(Locale.ROOT)));
        if (stage == Stage.DENOISE) {
            total = units;
            evaluationsStart = System.nanoTime();
        }
    }

    @Override
    public void step(int count, Supplier<float[]> latents) {
        long now = System.nanoTime();
        nanos += now - evaluationsStart;
        evaluationsStart = now;
        evaluations++;
        done = count;
        int pictures = job.prepared().request().images() - image - 1;
        double left = (total - count + (double) pictures * total) * nanos / evaluations / 1e9;
        job.add(new JobEvent.Step(image, count, total, left));
    }

    @Override
    public boolean wantsPreview(int count) {
        return job.wantsPreview(count) || count < total && job.wantsPreviews()
                && System.nanoTime() - lastPreview > PREVIEW_NANOS;
    }

    @Override
    public void preview(int count, Picture picture) {
        lastPreview = System.nanoTime();
        job.add(new JobEvent.Preview(image, count, total, picture));
    }

    @Override
    public boolean cancelled() {
        return job.isCancelled() || job.isSkipping();
    }

    @Override
    public boolean wantsUnfinished() {
        return job.wantsUnfinished() || job.isSkipping() && !job.isCancelled();
    }

    @Override
    public boolean goesOn() {
        return !job.isCancelled();
    }

    @Override
    public void note(String line) {
        job.add(new JobEvent.Note(line));
    }

    /** The client is told, and who runs the server. */
    private void lost(String line) {
        note(line);
        log.accept(line);
    }

    @Override
    public void drawn(int i, GenerationRequest request, Picture picture, byte[] png, String text) {
        String stored = history == null ? null : history.store(png, request.seed(), this::lost);
        job.add(new JobEvent.Drawn(new JobPicture(i, request.seed(), picture, png, text, stored, done == total)));
    }
}
