package jdiffusion.model.pipeline;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntPredicate;
import java.util.stream.Stream;
import jdiffusion.kernels.Backend;
import jdiffusion.model.Branch;
import jdiffusion.model.Compute;
import jdiffusion.model.Trace;
import jdiffusion.model.family.Denoiser;
import jdiffusion.model.family.DenoiserRun;
import jdiffusion.model.family.DenoiserSetup;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.SkippedEvaluation;
import jdiffusion.model.guidance.AttentionChange;
import jdiffusion.model.guidance.Formula;
import jdiffusion.model.guidance.Push;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;

/**
 * The network's output with all guidance: with and without the prompt by one formula or another, pushed away from what
 * worse networks predict, with a ControlNet, rescaled. The order is that of {@link
 * jdiffusion.model.guidance.Guiders}. Everything is allocated in the constructor.
 */
final class GuidedPrediction {
    private static final Branch[] NONE = {};
    private static final Branch[] COND = {Branch.COND};
    private static final Branch[] BOTH = {Branch.UNCOND, Branch.COND};
    private static final Branch[] UNCOND = {Branch.UNCOND};

    private final GenerationRequest request;
    private final Backend backend;
    private final Trace trace;
    private final Walk walk;
    private final Evaluations evaluations;
    private final int images;
    /** Channels of the latents, and how many more the network reads. */
    private final int channels;
    private final int more;
    private final StepCaching caching;
    private final DenoiserRun run;
    /** Where the negative prompt's branch is predicted; null for here. */
    private final SecondDevice other;
    /** With the prompt alone, for evaluations without guidance; null where all have it, or none. */
    private final DenoiserRun promptRun;
    private final List<Pushed> pushes = new ArrayList<>();
    /** In the place of classifier-free guidance; null for none. */
    private final Formula formula;
    private final Formula.Run formulaRun;
    /** All branches' latents; of one branch only where the network does not read latents as they are. */
    private final Tensor input;
    private final Tensor output;
    private final Tensor guided;
    private final GuidanceRescale rescale;

    /**
     * A network that predicts worse, from which the prediction is pushed away.
     *
     * @param branch what it is called
     * @param output [images, channels, height, width] what it predicts with the prompt
     * @param active in which evaluations, counted from 0
     */
    private record Pushed(Branch[] branch, DenoiserRun run, Tensor output, IntPredicate active, float scale) {
    }

    /**
     * The negative prompt's branch by a network of its own.
     *
     * @param images of each branch
     */
    private record Halves(DenoiserRun negative, DenoiserRun prompt, Trace trace, int images) implements DenoiserRun {
        @Override
        public void controlStrength(float strength) {
            negative.controlStrength(strength);
            prompt.controlStrength(strength);
        }

        @Override
        public void predict(Tensor latents, float time, Tensor out) {
            trace.batch(images, UNCOND);
            negative.predict(latents.slice(0, images), time, out.slice(0, images));
            trace.batch(images, COND);
            prompt.predict(latents.slice(images, 2 * images), time, out.slice(images, 2 * images));
            trace.batch(images, BOTH);
        }

        @Override
        public void predict(Tensor latents, float[] times, Tensor out) {
            throw new IllegalStateException("two networks have one time for the whole batch");
        }
    }

    /**
     * @param setup with the conditionings of the negative prompt (if guided) and of the prompt
     * @param other where the negative prompt's branch is predicted; null for here
     */
    GuidedPrediction(Denoiser denoiser, Compute compute, GenerationRequest request, Walk walk, DenoiserSetup setup,
                     SecondDevice other) {
        this.request = request;
        this.backend = compute.backend();
        this.trace = compute.trace();
        this.walk = walk;
        this.evaluations = new Evaluations(request, walk);
        this.images = setup.images();
        int height = setup.height();
        int width = setup.width();
        Workspace w = compute.workspace();
        int in = denoiser.config().inChannels();
        int out = denoiser.config().outChannels();
        int batch = setup.batch();
        this.channels = out;
        this.more = in - out;
        this.formula = evaluations.formula();
        this.input = w.f32(batch, in, height, width);
        this.output = w.f32(batch, out, height, width);
        this.guided = w.f32(images, out, height, width);
        this.formulaRun = formula == null ? null : formula.start(w, images, out, height, width);
        this.caching = new StepCaching(denoiser, compute, request.methods());
        trace.batch(images, request.guided() ? BOTH : COND);
        this.other = other;
        DenoiserSetup guided = new DenoiserSetup(setup.entries(), images, height, width, evaluations.guided(),
                List.of(), setup.control());
        this.run = start(guided, compute);
        trace.batch(images, COND);
        this.promptRun = !request.guided() || request.methods().guiders().interval() == null ? null
                : caching.start(withPrompt(setup, n -> !evaluations.zeroed(n) && !evaluations.guides(n), List.of(), null,
                        setup.control()), "prompt");
        this.rescale = request.guided() && request.rescale() > 0
                ? new GuidanceRescale(request.rescale(), out * height * width) : null;
        List<Integer> layers = request.skipLayers().layers();
        if (request.guided() && !layers.isEmpty()) {
            IntPredicate active = n -> request.skipLayers().active(n + request.methods().firstStep(),
                    walk.evaluations());
            addPush(Branch.SKIP, "skip layers", withPrompt(setup, active, layers, null, null),
                    w.f32(images, out, height, width), active, request.skipLayers().scale());
        }
        for (Push push : request.methods().guiders().pushes()) {
            IntPredicate active = n -> push.active(n, walk.evaluations());
            AttentionChange change = push.change(push.layers().isEmpty() ? denoiser.config().usualAttentions()
                    : push.layers());
            addPush(Branch.of(push.label()), push.label(), withPrompt(setup, active, List.of(), change, null),
                    w.f32(images, out, height, width), active, push.scale());
        }
    }

    /** Of all branches that the formula combines. */
    private DenoiserRun start(DenoiserSetup setup, Compute compute) {
        int batch = setup.batch();
        if (other != null) {
            return new TwoDevices(caching.start(setup.part(images, batch), "prompt"), other, compute);
        }
        if (!request.guided()) {
            return caching.start(setup, "prompt");
        }
        List<Integer> leftOut = request.methods().guiders().leftOut();
        return leftOut.isEmpty() ? caching.start(setup, "negative", "prompt")
                : new Halves(caching.start(setup.part(0, images).skipping(leftOut), "negative"),
                        caching.start(setup.part(images, batch), "prompt"), trace, images);
    }

    private void addPush(Branch branch, String label, DenoiserSetup setup, Tensor out, IntPredicate active,
                         float scale) {
        Branch[] branches = {branch};
        trace.batch(images, branches);
        pushes.add(new Pushed(branches, caching.start(setup, label), out, active, scale));
    }

    /** A run of the prompt's branch alone. */
    private DenoiserSetup withPrompt(DenoiserSetup setup, IntPredicate wanted, List<Integer> skipped,
                                     AttentionChange change, float[] control) {
        return new DenoiserSetup(setup.entries().subList(setup.batch() - images, setup.batch()), images,
                setup.height(), setup.width(), evaluations.times(wanted), skipped, control, change, Double.NaN);
    }

    /** A draw begins. */
    void begin() {
        if (formula != null) {
            formulaRun.begin();
        }
        caching.begin();
        if (other != null) {
            other.begin();
        }
    }

    /** What the step cache saved since the last call. */
    List<SkippedEvaluation> takeSkipped() {
        return other == null ? caching.takeSkipped()
                : Stream.concat(other.takeSkipped().stream(), caching.takeSkipped().stream()).toList();
    }

    /**
     * Classifier-free guidance u + g (c - u), or the formula in its place; of each push + s (c - pushed); then rescaled.
     *
     * @param latents [images, channels, height, width] as the sampler has them
     * @return valid until the next call
     */
    Tensor at(int i, Tensor latents) {
        see("latents", latents);
        int n = i - walk.first();
        if (evaluations.zeroed(n)) {
            backend.combine(new float[] {0}, List.of(latents), guided);
            return guided;
        }
        float time = walk.sigmas().timestep(i);
        float factor = (float) walk.prediction().input(walk.sigmas().sigma(i));
        Tensor read = factor == 1 && more == 0 ? latents : input.slice(0, images);
        boolean guides = request.guided() && evaluations.guides(n);
        DenoiserRun asked = guides || promptRun == null ? run : promptRun;
        if (request.control() != null) {
            asked.controlStrength(request.control().strengthAt(n, walk.evaluations()));
        }
        if (request.guided() || read != latents) {
            scaled(factor, latents, 0);
        }
        if (!guides) {
            Tensor only = output.slice(0, images);
            predict(asked, COND, read, time, only);
            return pushed(n, read, time, only, null);
        }
        scaled(factor, latents, images);
        predict(run, BOTH, input, time, output);
        Tensor unconditional = output.slice(0, images);
        Tensor conditional = output.slice(images, 2 * images);
        if (formula != null) {
            formulaRun.apply(backend, request.guidance(), unconditional, conditional, guided);
        }
        Tensor result = pushed(n, read, time, conditional, unconditional);
        if (rescale != null) {
            rescale.apply(backend, conditional, result);
        }
        see("guided", result);
        return result;
    }

    /**
     * Adds the pushes.
     *
     * @param unconditional null where there is no guidance; else guided holds the formula's result, or nothing yet
     */
    private Tensor pushed(int n, Tensor read, float time, Tensor conditional, Tensor unconditional) {
        float g = request.guidance();
        boolean open = unconditional != null && formula == null;
        Tensor sum = unconditional == null ? conditional : guided;
        for (Pushed push : pushes) {
            if (!push.active.test(n)) {
                continue;
            }
            float s = push.scale;
            predict(push.run, push.branch, read, time, push.output);
            if (open) {
                backend.combine(new float[] {1 - g, g + s, -s}, List.of(unconditional, conditional, push.output),
                        guided);
            } else {
                backend.combine(new float[] {1, s, -s}, List.of(sum, conditional, push.output), guided);
            }
            open = false;
            sum = guided;
        }
        if (open) {
            backend.combine(new float[] {1 - g, g}, List.of(unconditional, conditional), guided);
        }
        return sum;
    }

    private void predict(DenoiserRun of, Branch[] branches, Tensor read, float time, Tensor out) {
        trace.batch(images, branches);
        of.predict(read, time, out);
        trace.see("prediction", "", out);
        if (trace != Trace.NONE) {
            trace.evaluated(() -> of.predict(read, time, out));
        }
    }

    /** Shows what is of no branch. */
    private void see(String name, Tensor tensor) {
        trace.batch(images, NONE);
        trace.see(name, "", tensor);
    }

    /** What the network read last, one branch: [images, inChannels, height, width]. */
    Tensor input() {
        return input.slice(0, images);
    }

    /** The latents as the network wants them, from an entry of the batch on. */
    private void scaled(float factor, Tensor latents, int entry) {
        float[] factors = {factor};
        if (more == 0) {
            backend.combine(factors, List.of(latents), input.slice(entry, entry + images));
            return;
        }
        for (int i = 0; i < images; i++) {
            backend.combine(factors, List.of(latents.at(i)), input.at(entry + i).slice(0, channels));
        }
    }

    /**
     * Sets what the network reads behind the latents: in inpainting, mask and masked picture.
     *
     * @param values of its further channels, [channels, height, width], the same for the whole batch
     */
    void setMore(float[] values) {
        for (int i = 0; i < input.shape().dim(0); i++) {
            backend.upload(values, input.at(i).slice(channels, channels + more));
        }
    }

    /** Goes through all that {@link #at} may do, to count memory. */
    void count(Tensor latents) {
        float time = walk.sigmas().timestep(walk.first());
        if (request.control() != null) {
            run.controlStrength(1);
        }
        predict(run, request.guided() ? BOTH : COND, input, time, output);
        if (promptRun != null) {
            if (request.control() != null) {
                promptRun.controlStrength(1);
            }
            predict(promptRun, COND, input(), time, output.slice(0, images));
        }
        pushes.forEach(push -> predict(push.run, push.branch, input(), time, push.output));
        at(walk.first(), latents);
    }
}
