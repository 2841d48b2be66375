package jdiffusion.model.pipeline;

import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CancellationException;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Scope;
import jdiffusion.model.Compute;
import jdiffusion.model.Trace;
import jdiffusion.model.family.BranchPoint;
import jdiffusion.model.family.Denoiser;
import jdiffusion.model.family.DenoiserSetup;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.MaskFill;
import jdiffusion.model.family.Progress;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sampling.RandomNormals;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;

/**
 * The loop over noise levels for one size and batch: evaluate, step. Everything is allocated in the constructor;
 * several draws can be run one after the other.
 */
final class DenoiseLoop {
    private final Backend backend;
    private final Trace trace;
    private final Walk walk;
    private final Sampler sampler;
    /** What a stochastic sampler draws in a step; null for others. */
    private final float[] drawn;
    private final GuidedPrediction prediction;
    private final Tensor latents;
    private final Tensor init;
    private final Masking masking;
    /** Whether the start is noise alone though there is a picture: diffusers' inpainting at full strength. */
    private final boolean whole;
    private final float[] mask;
    private final MaskFill fill;
    /** Whose steps are taken up to a point, and memory for what they predict; null for none. */
    private final BranchPoint branch;
    private final Tensor taken;

    /** Tensors of inpainting; null when the whole picture is drawn. */
    private record Masking(Tensor mask, Tensor noise, Tensor known) {
    }

    /**
     * @param setup with the conditionings of the negative prompt (if guided) and of the prompt
     * @param mask  [channels, height, width] 1 where to draw, 0 where to keep; null for everywhere
     * @param other where the negative prompt's branch is predicted; null for here
     */
    DenoiseLoop(Denoiser denoiser, Compute compute, GenerationRequest request, Walk walk, DenoiserSetup setup,
                float[] mask, SecondDevice other) {
        this.backend = compute.backend();
        this.trace = compute.trace();
        this.walk = walk;
        Workspace w = compute.workspace();
        int[] dims = {setup.images(), denoiser.config().outChannels(), setup.height(), setup.width()};
        this.latents = w.f32(dims);
        this.sampler = request.sampler().create(walk.sigmas(), walk.prediction(), w, latents);
        this.drawn = request.sampler().drawsNoise() ? new float[Math.toIntExact(latents.shape().size())] : null;
        this.prediction = new GuidedPrediction(denoiser, compute, request, walk, setup, other);
        this.init = request.init() == null ? null : w.f32(dims);
        this.whole = mask != null && walk.first() == 0 && !walk.prediction().isFlow();
        this.mask = mask;
        this.fill = request.inpainting().fill();
        this.branch = request.methods().branch();
        this.taken = branch == null ? null : w.f32(dims);
        if (mask == null || denoiser.config().inChannels() > denoiser.config().outChannels()) {
            this.masking = null;
        } else {
            Tensor all = w.f32(dims);
            for (int i = 0; i < setup.images(); i++) {
                backend.upload(mask, all.at(i));
            }
            this.masking = new Masking(all, w.f32(dims), w.f32(dims));
        }
    }

    /**
     * Runs from noise to the latents at the walk's end [images, channels, height, width].
     *
     * @param before evaluations of earlier draws, for the progress
     */
    float[] run(Noise noise, Progress progress, int before) {
        backend.upload(noise.noise(), latents);
        if (noise.init() != null) {
            backend.upload(mask == null ? noise.init() : LatentMask.filled(noise.init(), noise.noise(), mask, fill),
                    init);
            if (masking != null) {
                backend.upload(noise.noise(), masking.noise());
            }
        }
        if (noise.masked() != null) {
            prediction.setMore(surroundings(noise.masked()));
        }
        if (noise.init() != null && !whole) {
            // For a flow at strength 1, where sigma is 1, this is the noise alone.
            backend.combine(walk.mixed(walk.first()), List.of(latents, init), latents);
        } else if (walk.sigmas().startFactor() != 1) {
            backend.combine(new float[] {(float) walk.sigmas().startFactor()}, List.of(latents), latents);
        }
        return run(noise.random(), progress, before);
    }

    /** Goes on from latents at the walk's first level. */
    float[] run(float[] from, RandomNormals random, Progress progress, int before) {
        backend.upload(from, latents);
        return run(random, progress, before);
    }

    private float[] run(RandomNormals random, Progress progress, int before) {
        progress.see("latents.start", this::download);
        if (branch != null) {
            branch.steps().checkStart(download());
        }
        prediction.begin();
        for (int i = walk.first(); i < walk.end(); i++) {
            int n = i - walk.first();
            trace.step(n, before / walk.evaluations());
            try (var _ = backend.scope(Scope.STEP, n)) {
                Tensor predicted = predicted(i);
                progress.predicted(() -> backend.download(predicted));
                step(i, predicted, out -> {
                    random.normals(drawn);
                    progress.see("noise." + n, () -> drawn);
                    backend.upload(drawn, out);
                });
            }
            prediction.takeSkipped().forEach(what -> progress.skipped(n, what));
            progress.see("model_input." + n, () -> backend.download(prediction.input()));
            progress.step(before + n + 1, this::download);
            if (progress.cancelled()) {
                throw new CancellationException("cancelled after evaluation " + (n + 1));
            }
        }
        return download();
    }

    private float[] download() {
        return backend.download(latents);
    }

    /** One channel of the mask, then the masked picture's latents. */
    private float[] surroundings(float[] masked) {
        int pixels = masked.length / latents.shape().dim(1);
        float[] all = Arrays.copyOf(mask, pixels + masked.length);
        System.arraycopy(masked, 0, all, pixels, masked.length);
        return all;
    }

    private Tensor predicted(int i) {
        int n = i - walk.first();
        if (branch == null || n >= branch.at()) {
            return prediction.at(i, latents);
        }
        backend.upload(branch.steps().predictions().get(n), taken);
        return taken;
    }

    private void step(int i, Tensor predicted, Sampler.NoiseSource noise) {
        sampler.step(backend, walk.first(), i, predicted, latents, noise);
        if (masking != null) {
            keepUnmasked(i);
        }
    }

    /** Goes through a step and all kinds of evaluation, to count memory: the others take no more. */
    void count() {
        trace.step(0, 0);
        step(walk.first(), prediction.at(walk.first(), latents), _ -> { });
        prediction.count(latents);
    }

    /** Puts the init image, noised to the next level, back where the mask keeps it. */
    private void keepUnmasked(int i) {
        backend.combine(walk.mixed(i + 1), List.of(masking.noise(), init), masking.known());
        backend.blend(masking.mask(), latents, masking.known(), latents);
    }
}
