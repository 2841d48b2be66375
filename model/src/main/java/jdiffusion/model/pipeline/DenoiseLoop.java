package jdiffusion.model.pipeline;

import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.function.Consumer;
import java.util.function.Supplier;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Scope;
import jdiffusion.model.Compute;
import jdiffusion.model.family.Conditioning;
import jdiffusion.model.family.Denoiser;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.sampling.Prediction;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sampling.SamplerSettings;
import jdiffusion.model.sampling.Sigmas;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;

/**
 * The loop over noise levels for one size and batch: evaluate, step. Everything is allocated in the constructor;
 * several draws can be run one after the other.
 */
final class DenoiseLoop {
    private final Backend backend;
    private final Sigmas sigmas;
    private final Sampler sampler;
    /** What a stochastic sampler draws in a step; null for others. */
    private final float[] drawn;
    private final int first;
    private final GuidedPrediction prediction;
    private final Tensor latents;
    private final Tensor init;
    private final Masking masking;

    /** Tensors of inpainting; null when the whole picture is drawn. */
    private record Masking(Tensor mask, Tensor noise, Tensor known) {
    }

    /**
     * @param prompts the conditionings of the negative prompt (if guided) and of the prompt
     * @param height  of the latents
     * @param width   of the latents
     * @param mask    [channels, height, width] 1 where to draw; null for everywhere
     * @param control [channels, height, width] what the ControlNet reads; null for none
     */
    DenoiseLoop(Denoiser denoiser, Compute compute, GenerationRequest request, int images,
                List<Conditioning> prompts, int height, int width, Sigmas sigmas, float[] mask, float[] control) {
        this.backend = compute.backend();
        this.sigmas = sigmas;
        this.first = first(request, sigmas);
        Workspace w = compute.workspace();
        int channels = denoiser.config().outChannels();
        this.latents = w.f32(images, channels, height, width);
        SamplerSettings settings = request.sampler().settings();
        this.sampler = settings.create(sigmas, Prediction.VELOCITY, w, latents);
        this.drawn = settings.drawsNoise() ? new float[Math.toIntExact(latents.shape().size())] : null;
        this.prediction = new GuidedPrediction(denoiser, compute, request, images, prompts, height, width, sigmas,
                first, control);
        this.init = request.init() == null ? null : w.f32(images, channels, height, width);
        if (mask == null) {
            this.masking = null;
        } else {
            Tensor all = w.f32(images, channels, height, width);
            for (int i = 0; i < images; i++) {
                backend.upload(mask, all.at(i));
            }
            this.masking = new Masking(all, w.f32(all.shape().dims()), w.f32(all.shape().dims()));
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
            backend.upload(noise.init(), init);
            if (masking != null) {
                backend.upload(noise.noise(), masking.noise());
            }
            backend.combine(new float[] {sigma, 1 - sigma}, List.of(latents, init), latents);
        }
        for (int i = first; i < sigmas.evaluations(); i++) {
            try (var _ = backend.scope(Scope.STEP, i - first)) {
                step(i, out -> {
                    noise.random().normals(drawn);
                    backend.upload(drawn, out);
                });
            }
            afterStep.accept(() -> backend.download(latents));
            if (cancelled.get()) {
                throw new CancellationException("cancelled after evaluation " + (i - first + 1));
            }
        }
        return backend.download(latents);
    }

    private void step(int i, Sampler.NoiseSource noise) {
        sampler.step(backend, first, i, prediction.at(i, latents), latents, noise);
        if (masking != null) {
            keepUnmasked(i);
        }
    }

    /** Goes through one evaluation of each kind, to count memory: the others take no more. */
    void count() {
        step(first, _ -> { });
        prediction.countOthers(latents);
    }

    /** Puts the init image, noised to the next level, back where the mask keeps it. */
    private void keepUnmasked(int i) {
        float sigma = i + 1 < sigmas.evaluations() ? sigmas.sigma(i + 1) : 0;
        backend.combine(new float[] {sigma, 1 - sigma}, List.of(masking.noise(), init), masking.known());
        backend.blend(masking.mask(), latents, masking.known(), latents);
    }
}
