package jdiffusion.model.pipeline;

import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.function.Function;
import jdiffusion.kernels.Backend;
import jdiffusion.model.Compute;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.family.Denoiser;
import jdiffusion.model.family.DenoiserRun;
import jdiffusion.model.family.DenoiserSetup;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.SkippedEvaluation;
import jdiffusion.model.stage.Stage;
import jdiffusion.model.stage.StageMemory;
import jdiffusion.model.stage.Stages;
import jdiffusion.tensor.Tensor;

/**
 * The branch of the negative prompt on a second device: its weights, its memory, and a thread that predicts while the
 * first device's thread does. Only one of the two threads touches it at a time.
 */
final class SecondDevice {
    private final Backend backend;
    private final StepCaching caching;
    private final DenoiserRun run;
    private final Tensor input;
    private final Tensor output;
    private final float[] latents;
    private final float[] prediction;
    private final ExecutorService thread;

    private SecondDevice(Stage<Denoiser> stage, GenerationRequest request, DenoiserSetup setup,
                         ExecutorService thread) {
        Compute compute = stage.compute();
        Denoiser denoiser = stage.model();
        this.backend = compute.backend();
        this.thread = thread;
        this.input = compute.workspace().f32(setup.batch(), denoiser.config().inChannels(), setup.height(),
                setup.width());
        this.output = compute.workspace().f32(setup.batch(), denoiser.config().outChannels(), setup.height(),
                setup.width());
        this.latents = new float[Math.toIntExact(input.shape().size())];
        this.prediction = new float[Math.toIntExact(output.shape().size())];
        this.caching = new StepCaching(denoiser, compute, request.methods());
        this.run = caching.start(setup, "negative");
    }

    /**
     * Does something with a second device, which has its weights and its memory meanwhile.
     *
     * @param stages of the second device
     * @param setup  with both branches
     * @param report told of the memory that it took
     * @param first  what the first device does
     */
    static <T> T with(Stages stages, Stage.Loader<Denoiser> loader, GenerationRequest request, Walk walk,
                      DenoiserSetup setup, Consumer<StageMemory> report,
                      Function<SecondDevice, T> first) {
        int images = setup.images();
        DenoiserSetup half = new DenoiserSetup(setup.entries(), images, setup.height(), setup.width(),
                new Evaluations(request, walk).guided(), request.methods().guiders().leftOut(), setup.control())
                .part(0, images);
        AtomicBoolean counted = new AtomicBoolean();
        try (ExecutorService thread = Executors.newSingleThreadExecutor(Thread.ofPlatform().daemon()
                .name("second-device").factory())) {
            return stages.run(Component.DENOISER, loader, (Stage<Denoiser> stage) -> {
                SecondDevice device = new SecondDevice(stage, request, half, thread);
                if (stage.counting()) {
                    device.count(request, walk);
                }
                // The first time its memory is counted, as all work's is.
                return counted.getAndSet(true) ? first.apply(device) : null;
            }, report);
        }
    }

    private void count(GenerationRequest request, Walk walk) {
        if (request.control() != null) {
            run.controlStrength(1);
        }
        run.predict(input, walk.sigmas().timestep(walk.first()), output);
    }

    /** A draw begins. */
    void begin() {
        caching.begin();
    }

    /** What the step cache saved since the last call. */
    List<SkippedEvaluation> takeSkipped() {
        return caching.takeSkipped();
    }

    void controlStrength(float strength) {
        run.controlStrength(strength);
    }

    /** What the next prediction reads, [images, inChannels, height, width]. */
    float[] latents() {
        return latents;
    }

    /** Begins a prediction of {@link #latents}. */
    Future<?> start(float time) {
        return thread.submit(() -> {
            backend.upload(latents, input);
            run.predict(input, time, output);
            backend.download(output, prediction);
        });
    }

    /** Waits for it; [images, outChannels, height, width], valid until the next one begins. */
    float[] take(Future<?> started) {
        finish(started);
        return prediction;
    }

    /** Waits for a prediction that nobody needs any more since the first device failed. */
    void abandon(Future<?> started, Throwable failure) {
        try {
            finish(started);
        } catch (RuntimeException | Error e) {
            failure.addSuppressed(e);
        }
    }

    /** Its memory is given back only after it is done: a thread that is interrupted waits all the same. */
    private static void finish(Future<?> started) {
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    started.get();
                    return;
                } catch (InterruptedException e) {
                    interrupted = true;
                } catch (ExecutionException e) {
                    switch (e.getCause()) {
                        case RuntimeException failure -> throw failure;
                        case Error error -> throw error;
                        default -> throw new IllegalStateException(e.getCause());
                    }
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
