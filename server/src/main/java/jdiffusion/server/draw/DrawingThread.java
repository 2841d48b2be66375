package jdiffusion.server.draw;

import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CancellationException;
import java.util.function.Supplier;
import jdiffusion.kernels.Backend;
import jdiffusion.model.adapter.Lora;
import jdiffusion.model.family.Conditioning;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Progress;
import jdiffusion.model.image.LatentPictures;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.Png;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.model.pipeline.Previews;
import jdiffusion.model.request.MemoryWish;
import jdiffusion.model.settings.Infotext;
import jdiffusion.model.stage.StageMemory;
import jdiffusion.server.metrics.Metrics;
import jdiffusion.tensor.InputException;

/** Draws requests on a device, for one thread. The model of the last one stays. */
public final class DrawingThread implements AutoCloseable {
    private final Backend backend;
    private final MemoryWish memory;
    private final ServedText texts;
    private final Metrics metrics;
    private Standing standing;
    private volatile ServedModel loaded;

    /** A model with what is added to it. */
    private record Standing(ServedModel model, List<Lora> loras, Path control, Pipeline pipeline,
                            LatentPictures previews) {
    }

    /**
     * @param quantize rules by which models are quantised; null for none
     * @param version  of the program
     */
    public DrawingThread(Backend backend, MemoryWish memory, String quantize, String version, Metrics metrics) {
        this.backend = backend;
        this.memory = memory;
        this.texts = new ServedText(backend.precision(), memory, quantize, version);
        this.metrics = metrics;
    }

    public Backend backend() {
        return backend;
    }

    /** The model that stays; null for none. For any thread. */
    public ServedModel loaded() {
        return loaded;
    }

    /**
     * Draws all pictures of a prepared request.
     *
     * @throws CancellationException when the follower cancels it
     */
    public void draw(PreparedRequest prepared, DrawingFollower follower) {
        try {
            GenerationRequest request = prepared.request();
            Standing at = stand(prepared, follower);
            at.pipeline.hold(request);
            checkCancelled(follower);
            List<Conditioning> prompts = at.pipeline.encode(request,
                    new Watch(at, request, follower, prepared.model().id()));
            for (int i = 0; i < request.images(); i++) {
                checkCancelled(follower);
                draw(at, prepared, i, prompts, follower);
            }
        } catch (CancellationException e) {
            throw e;
        } catch (RuntimeException | Error e) {
            // What it left behind is unknown, and a device that ran out of memory needs it back.
            close();
            throw e;
        }
    }

    private void draw(Standing at, PreparedRequest prepared, int i, List<Conditioning> prompts, DrawingFollower follower) {
        GenerationRequest one = prepared.picture(i);
        Watch watch = new Watch(at, one, follower, prepared.model().id());
        follower.begun(i);
        float[] latents;
        boolean whole = true;
        GenerationRequest drawn = one;
        try {
            latents = at.pipeline.denoise(one, prompts, watch);
        } catch (CancellationException e) {
            latents = watch.unfinished;
            whole = false;
            if (latents == null) {
                throw e;
            }
            drawn = watch.passes > 1 ? one : one.firstPass();
        }
        Picture picture = at.pipeline.decode(drawn, latents, watch).getFirst();
        Infotext text = texts.of(prepared, drawn, at.pipeline.files(), watch.decoded);
        if (!whole) {
            Map<String, String> fields = new LinkedHashMap<>(text.fields());
            fields.put("Interrupted", "after " + watch.done + " evaluations");
            text = new Infotext(text.prompt(), text.negativePrompt(), fields);
        }
        metrics.drawn(prepared.model().id(), picture.width(), picture.height());
        follower.drawn(i, one, picture, Png.encode(picture, Map.of(Infotext.KEYWORD, text.text())), text.text());
        if (!whole && !follower.goesOn()) {
            throw new CancellationException("interrupted");
        }
    }

    private static void checkCancelled(DrawingFollower follower) {
        if (!follower.goesOn()) {
            throw new CancellationException("cancelled");
        }
    }

    /** The model of a request, ready; the one before is let go of where it is another. */
    private Standing stand(PreparedRequest prepared, DrawingFollower follower) {
        if (standing != null && standing.model == prepared.model() && standing.loras.equals(prepared.loras())
                && Objects.equals(standing.control, prepared.control().choice().net()) && fits(prepared)) {
            return standing;
        }
        close();
        long start = System.nanoTime();
        Pipeline plain = Pipeline.open(prepared.control().files(), backend);
        Pipeline pipeline = memory.keep(plain, prepared.request(), backend, follower::note);
        standing = new Standing(prepared.model(), prepared.loras(), prepared.control().choice().net(), pipeline,
                previews(pipeline));
        loaded = prepared.model();
        pipeline.hold(prepared.request());
        metrics.loaded(prepared.model().id(), System.nanoTime() - start);
        return standing;
    }

    private boolean fits(PreparedRequest prepared) {
        long budget = standing.pipeline.policy().budget();
        return budget == Long.MAX_VALUE || standing.pipeline.plan(prepared.request()).peak() <= budget;
    }

    private static LatentPictures previews(Pipeline pipeline) {
        try {
            return Previews.of(pipeline);
        } catch (InputException e) {
            return null; // nothing is known of its latents' colours
        }
    }

    /** Lets go of the model. */
    @Override
    public void close() {
        Standing last = standing;
        standing = null;
        loaded = null;
        if (last != null) {
            last.pipeline.close();
        }
    }

    /** Follows one picture for the client and the metrics. */
    private final class Watch implements Progress {
        private final Standing at;
        private final GenerationRequest request;
        private final DrawingFollower follower;
        private final String model;
        private final int evaluations;
        private long last;
        private int height;
        private int width;
        private int passes;
        /** Evaluations of passes before, and of all so far. */
        private int before;
        private int done;
        private float[] unfinished;
        private boolean ends;
        private StageMemory decoded;

        Watch(Standing at, GenerationRequest request, DrawingFollower follower, String model) {
            this.at = at;
            this.request = request;
            this.follower = follower;
            this.model = model;
            this.evaluations = at.pipeline.evaluations(request);
        }

        @Override
        public void latents(int rows, int columns) {
            height = rows;
            width = columns;
            before = done;
            passes++;
        }

        @Override
        public void started(Stage stage, int units) {
            last = System.nanoTime();
            follower.started(stage, stage == Stage.DENOISE ? evaluations : units);
        }

        @Override
        public void step(int count, Supplier<float[]> latents) {
            long now = System.nanoTime();
            int factor = at.pipeline.latents().factor();
            metrics.step(model, width * factor, height * factor, now - last);
            done = before + count;
            follower.step(done, latents);
            // Decided once: who interrupts between two questions would get no picture.
            ends = follower.cancelled();
            if (ends && follower.wantsUnfinished()) {
                unfinished = latents.get();
            } else if (at.previews != null && follower.wantsPreview(done)) {
                follower.preview(done, at.previews.picture(latents.get(), height, width));
            }
            last = System.nanoTime();
        }

        @Override
        public void used(Stage stage, StageMemory memory) {
            decoded = stage == Stage.DECODE ? memory : decoded;
            follower.used(stage, memory);
        }

        @Override
        public void finished(Stage stage, Duration time, long bytes) {
            metrics.stage(stage.name().toLowerCase(Locale.ROOT), time.toNanos());
            follower.finished(stage, time, bytes);
        }

        @Override
        public void note(String line) {
            follower.note(line);
        }

        @Override
        public boolean cancelled() {
            return ends;
        }
    }
}
