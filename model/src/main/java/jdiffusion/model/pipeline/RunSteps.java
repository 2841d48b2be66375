package jdiffusion.model.pipeline;

import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.Flow;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.SubmissionPublisher;
import java.util.function.Supplier;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Progress;
import jdiffusion.model.sites.Experiment;

/**
 * The steps of a run as they are done. Each subscriber has a run of its own, on a thread of its own, which waits where
 * steps are not asked for and ends when the subscription is cancelled; a pipeline does one run at a time.
 */
public final class RunSteps implements Flow.Publisher<RunSteps.Step> {
    private final Pipeline pipeline;
    private final GenerationRequest request;
    private final List<Experiment> experiments;

    /**
     * An evaluation of the denoiser and the sampler's step that follows.
     *
     * @param number  of it among those of all pictures, from 0
     * @param latents after it, [batch, channels, height / factor, width / factor]
     */
    public record Step(int number, float[] latents) {
    }

    public RunSteps(Pipeline pipeline, GenerationRequest request, List<? extends Experiment> experiments) {
        this.pipeline = pipeline;
        this.request = request;
        this.experiments = List.copyOf(experiments);
    }

    @Override
    public void subscribe(Flow.Subscriber<? super Step> subscriber) {
        SubmissionPublisher<Step> steps = new SubmissionPublisher<>(ForkJoinPool.commonPool(), 1);
        steps.subscribe(subscriber);
        Thread.ofPlatform().daemon().name("steps").start(() -> run(steps));
    }

    private void run(SubmissionPublisher<Step> steps) {
        try {
            pipeline.generate(request, experiments, new Progress() {
                @Override
                public void step(int done, Supplier<float[]> latents) {
                    steps.submit(new Step(done - 1, latents.get()));
                }

                @Override
                public boolean cancelled() {
                    return !steps.hasSubscribers();
                }
            });
            steps.close();
        } catch (CancellationException _) {
            steps.close();
        } catch (RuntimeException | Error e) {
            steps.closeExceptionally(e);
        }
    }
}
