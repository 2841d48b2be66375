package jdiffusion.model.pipeline;

import java.util.ArrayList;
import java.util.List;
import jdiffusion.kernels.counting.CountingBackend;
import jdiffusion.model.family.Conditioning;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Progress;
import jdiffusion.model.image.Picture;
import jdiffusion.model.stage.MemoryPlan;
import jdiffusion.model.stage.StageMemory;
import jdiffusion.tensor.InputException;

/**
 * A base model that draws most of the way, and a refiner that goes on from its latents: the ensemble of experts of the
 * SDXL paper, section 2.5. Nothing is drawn or decoded in between, and each has the whole schedule.
 *
 * @param start share of the training's times after which the refiner goes on, above 0 and below 1
 */
public record RefinedPipeline(Pipeline base, Pipeline refiner, double start) implements AutoCloseable {
    /** Where SDXL's own pipeline changes over. */
    public static final double USUAL_START = 0.8;
    private static final int TRAINING_TIMES = 1000;

    public RefinedPipeline {
        if (!(start > 0 && start < 1)) {
            throw new InputException("the refiner is to start at " + start + " of the way; use a share above 0 and"
                    + " below 1, such as " + USUAL_START);
        }
        if (base.info().scheduler().prediction().isFlow() || refiner.info().scheduler().prediction().isFlow()
                || base.latents().channels() != refiner.latents().channels()
                || base.latents().factor() != refiner.latents().factor()
                || base.latents().scale() != refiner.latents().scale()) {
            throw new InputException(refiner.files().origin() + ": this model's latents are not those of "
                    + base.files().origin() + ", so it cannot refine them");
        }
    }

    /** The same two models, the refiner under the policy of a base that was fitted to memory. */
    public RefinedPipeline over(Pipeline fitted) {
        return new RefinedPipeline(fitted, refiner.withPolicy(fitted.policy()), start);
    }

    private double limit() {
        return Math.rint(TRAINING_TIMES - start * TRAINING_TIMES);
    }

    /** Evaluations of the base model. */
    public int baseEvaluations(GenerationRequest request) {
        return base.info().walk(request).until(limit()).evaluations();
    }

    /** Fails, before anything is computed, when one of the two models cannot do its part. */
    public void check(GenerationRequest request) {
        if (request.mask() != null) {
            throw new InputException("a refiner has no part in inpainting; leave --refiner or --mask out");
        }
        if (request.hires() != null) {
            throw new InputException("a refiner has no part in a second pass at a larger size; leave one of them out");
        }
        if (request.methods().branch() != null) {
            throw new InputException("a refiner has no part in a branch from a saved run; leave one of them out");
        }
        base.check(request);
        refiner.check(request);
        Walk first = base.info().walk(request).until(limit());
        Walk second = refiner.info().walk(request).from(limit());
        if (first.evaluations() < 1 || second.evaluations() < 1) {
            throw new InputException("of " + request.steps() + " steps, " + Math.max(0, first.evaluations())
                    + " are left for the base model and " + Math.max(0, second.evaluations())
                    + " for the refiner; use more steps or another start for the refiner");
        }
    }

    /** Brings all weights of a request to the device, if nothing is offloaded. */
    public void hold(GenerationRequest request) {
        base.hold(request, true, false);
        refiner.hold(request, false, true);
    }

    /** Draws the request's pictures. */
    public List<Picture> generate(GenerationRequest request, Progress progress) {
        check(request);
        hold(request);
        List<Conditioning> prompts = base.encode(request, progress);
        List<Conditioning> refined = refiner.encode(request, progress);
        return refiner.decode(request, denoise(request, prompts, refined, progress), progress);
    }

    /**
     * Clean latents of the refiner.
     *
     * @param prompts of the base model
     * @param refined of the refiner
     */
    public float[] denoise(GenerationRequest request, List<Conditioning> prompts, List<Conditioning> refined,
                           Progress progress) {
        DenoiseStage.Unfinished half = base.denoiseStage().run(request, prompts,
                base.info().walk(request).until(limit()), null, progress);
        return refiner.denoiseStage().run(request, refined, refiner.info().walk(request).from(limit()), half,
                progress).latents();
    }

    /** The memory that each stage takes: that of the base model, then of the refiner. */
    public MemoryPlan plan(GenerationRequest request) {
        List<StageMemory> runs = new ArrayList<>();
        Progress count = new Progress() {
            @Override
            public void used(Stage stage, StageMemory memory) {
                runs.add(memory);
            }
        };
        CountingBackend counter = base.counter(); // both are on one device
        try (var twins = new RefinedPipeline(base.counting(counter), refiner.counting(counter), start)) {
            twins.generate(request, count);
        }
        return new MemoryPlan(runs);
    }

    /** Lets go of components of both that stayed on the device. */
    @Override
    public void close() {
        try (base; refiner) {
            // Closed from right to left, each also when the other fails.
        }
    }
}
