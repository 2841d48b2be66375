package jdiffusion.model.pipeline;

import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.function.Consumer;
import java.util.function.IntPredicate;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Scope;
import jdiffusion.model.Compute;
import jdiffusion.model.mmdit.Denoiser;
import jdiffusion.model.mmdit.MmditConfig;
import jdiffusion.model.mmdit.MmditRun;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sampling.Sigmas;
import jdiffusion.model.text.PromptEmbedding;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;

/**
 * The loop over noise levels for one size and batch: evaluate, guide, step. Everything is allocated in the
 * constructor; several draws can be run one after the other.
 */
final class DenoiseLoop {
    private final GenerationRequest request;
    private final Backend backend;
    private final Sigmas sigmas;
    private final Sampler sampler;
    private final int images;
    private final int first;
    private final MmditRun run;
    private final MmditRun skipRun;
    private final Tensor latents;
    private final Tensor input;
    private final Tensor velocities;
    private final Tensor guided;
    private final Tensor skipVelocity;
    private final Masking masking;

    /** Tensors of inpainting; null when the whole picture is drawn. */
    private record Masking(Tensor mask, Tensor init, Tensor noise, Tensor known) {
    }

    /**
     * @param prompts the negative prompt (if guided) and the prompt
     * @param height  of the latents
     * @param width   of the latents
     * @param mask    [channels, height, width] 1 where to draw; null for everywhere
     * @param control [channels, height, width] what the ControlNet reads; null for none
     */
    DenoiseLoop(Denoiser denoiser, Compute compute, GenerationRequest request, int images,
                List<PromptEmbedding> prompts, int height, int width, Sigmas sigmas, float[] mask, float[] control) {
        this.request = request;
        this.backend = compute.backend();
        this.sigmas = sigmas;
        this.images = images;
        this.first = first(request, sigmas);
        Workspace w = compute.workspace();
        MmditConfig model = denoiser.mmdit().config();
        int channels = model.inChannels();
        int branches = prompts.size();
        int tokens = prompts.getFirst().tokens();
        this.input = w.f32(branches * images, channels, height, width);
        this.velocities = w.f32(branches * images, channels, height, width);
        this.latents = w.f32(images, channels, height, width);
        this.guided = w.f32(images, channels, height, width);
        this.sampler = request.sampler().create(sigmas, w, latents);
        this.run = new MmditRun(control == null ? denoiser.alone() : denoiser, compute, branches * images, height,
                width, tokens, times(_ -> true));
        setText(run, compute, model, prompts);
        if (control != null) {
            setControl(compute, control, branches * images, channels, height, width);
        }
        if (request.guided() && !request.skipLayers().layers().isEmpty()) {
            this.skipRun = new MmditRun(denoiser.alone(), compute, images, height, width, tokens, times(this::skips));
            setText(skipRun, compute, model, prompts.subList(branches - 1, branches));
            this.skipVelocity = w.f32(images, channels, height, width);
        } else {
            this.skipRun = null;
            this.skipVelocity = null;
        }
        if (mask == null) {
            this.masking = null;
        } else {
            Tensor all = w.f32(images, channels, height, width);
            for (int i = 0; i < images; i++) {
                backend.upload(mask, all.at(i));
            }
            this.masking = new Masking(all, w.f32(all.shape().dims()), w.f32(all.shape().dims()),
                    w.f32(all.shape().dims()));
        }
    }

    /** Timesteps of the evaluations of this run that are wanted. */
    private float[] times(IntPredicate wanted) {
        int[] evaluations = IntStream.range(first, sigmas.evaluations()).filter(wanted).toArray();
        float[] times = new float[evaluations.length];
        for (int i = 0; i < times.length; i++) {
            times[i] = sigmas.timestep(evaluations[i]);
        }
        return times;
    }

    /** Whether skip-layer guidance takes part in an evaluation. */
    private boolean skips(int i) {
        return request.skipLayers().active(i - first, sigmas.evaluations() - first);
    }

    private void setText(MmditRun target, Compute compute, MmditConfig model, List<PromptEmbedding> prompts) {
        Workspace w = compute.workspace();
        int batch = prompts.size() * images;
        try (var _ = w.scope()) {
            Tensor context = w.operand(batch, prompts.getFirst().tokens(), model.contextDim());
            Tensor pooled = w.operand(batch, model.pooledDim());
            for (int i = 0; i < batch; i++) {
                backend.upload(prompts.get(i / images).context(), context.at(i));
                backend.upload(prompts.get(i / images).pooled(), pooled.at(i));
            }
            target.setText(context, pooled);
        }
    }

    private void setControl(Compute compute, float[] control, int batch, int channels, int height, int width) {
        try (var _ = compute.workspace().scope()) {
            Tensor latents = compute.workspace().f32(batch, channels, height, width);
            for (int i = 0; i < batch; i++) {
                backend.upload(control, latents.slice(i, i + 1));
            }
            run.setControl(latents);
        }
    }

    /** Evaluations of the denoiser in one run. */
    static int evaluations(GenerationRequest request, Sigmas sigmas) {
        return sigmas.evaluations() - first(request, sigmas);
    }

    private static int first(GenerationRequest request, Sigmas sigmas) {
        return request.init() == null ? 0 : sigmas.start(request.strength());
    }

    /**
     * Runs from noise to clean latents [images, channels, height, width].
     *
     * @param afterStep sees the latents' supplier after each evaluation
     */
    float[] run(Noise noise, Consumer<Supplier<float[]>> afterStep, Supplier<Boolean> cancelled) {
        backend.upload(noise.noise(), latents);
        if (noise.init() != null) {
            // At strength 1, where sigma is 1, this is the noise alone.
            float sigma = sigmas.sigma(first);
            Tensor init = masking == null ? guided : masking.init();
            backend.upload(noise.init(), init);
            if (masking != null) {
                backend.upload(noise.noise(), masking.noise());
            }
            backend.combine(new float[] {sigma, 1 - sigma}, List.of(latents, init), latents);
        }
        for (int i = first; i < sigmas.evaluations(); i++) {
            try (var _ = backend.scope(Scope.STEP, i - first)) {
                sampler.step(backend, first, i, guidedVelocity(i), latents);
                if (masking != null) {
                    keepUnmasked(i);
                }
            }
            afterStep.accept(() -> backend.download(latents));
            if (cancelled.get()) {
                throw new CancellationException("cancelled after evaluation " + (i - first + 1));
            }
        }
        return backend.download(latents);
    }

    /** Goes through one evaluation of each kind, to count memory: the others take no more. */
    void count() {
        sampler.step(backend, first, first, guidedVelocity(first), latents);
        if (skipRun != null) {
            IntStream.range(first, sigmas.evaluations()).filter(this::skips).limit(1).forEach(i -> skipRun.velocity(
                    latents, sigmas.timestep(i), request.skipLayers().layers(), skipVelocity));
        }
        if (request.control() != null) {
            run.setControlStrength(1);
            run.velocity(input, sigmas.timestep(first), List.of(), velocities);
        }
        if (masking != null) {
            keepUnmasked(first);
        }
    }

    /** Classifier-free guidance u + g (c - u), and skip-layer guidance + s (c - skipped). */
    private Tensor guidedVelocity(int i) {
        float time = sigmas.timestep(i);
        if (request.control() != null) {
            run.setControlStrength(request.control().strengthAt(i - first, sigmas.evaluations() - first));
        }
        if (!request.guided()) {
            run.velocity(latents, time, List.of(), velocities);
            return velocities;
        }
        Tensor half = input.slice(0, images);
        backend.combine(new float[] {1}, List.of(latents), half);
        backend.combine(new float[] {1}, List.of(latents), input.slice(images, 2 * images));
        run.velocity(input, time, List.of(), velocities);
        Tensor unconditional = velocities.slice(0, images);
        Tensor conditional = velocities.slice(images, 2 * images);
        float g = request.guidance();
        if (skipRun != null && skips(i)) {
            float s = request.skipLayers().scale();
            skipRun.velocity(latents, time, request.skipLayers().layers(), skipVelocity);
            backend.combine(new float[] {1 - g, g + s, -s}, List.of(unconditional, conditional, skipVelocity), guided);
        } else {
            backend.combine(new float[] {1 - g, g}, List.of(unconditional, conditional), guided);
        }
        return guided;
    }

    /** Puts the init image, noised to the next level, back where the mask keeps it. */
    private void keepUnmasked(int i) {
        float sigma = i + 1 < sigmas.evaluations() ? sigmas.sigma(i + 1) : 0;
        backend.combine(new float[] {sigma, 1 - sigma}, List.of(masking.noise(), masking.init()), masking.known());
        backend.blend(masking.mask(), latents, masking.known(), latents);
    }
}
