package jdiffusion.model.pipeline;

import java.util.List;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import jdiffusion.kernels.Backend;
import jdiffusion.model.Compute;
import jdiffusion.model.family.Conditioning;
import jdiffusion.model.family.Denoiser;
import jdiffusion.model.family.DenoiserRun;
import jdiffusion.model.family.DenoiserSetup;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.sampling.Sigmas;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;

/**
 * The network's output with all guidance: with and without the prompt, with layers left out, with a ControlNet.
 * Everything is allocated in the constructor.
 */
final class GuidedPrediction {
    private final GenerationRequest request;
    private final Backend backend;
    private final Sigmas sigmas;
    private final int images;
    private final int first;
    private final DenoiserRun run;
    private final DenoiserRun skipRun;
    private final Tensor input;
    private final Tensor output;
    private final Tensor guided;
    private final Tensor skipOutput;

    /**
     * @param images   pictures at once
     * @param branches the conditionings of the negative prompt (if guided) and of the prompt
     * @param height   of the latents
     * @param width    of the latents
     * @param first    evaluation of this run
     * @param control  [channels, height, width] what the ControlNet reads; null for none
     */
    GuidedPrediction(Denoiser denoiser, Compute compute, GenerationRequest request, int images,
                     List<Conditioning> branches, int height, int width, Sigmas sigmas, int first, float[] control) {
        this.request = request;
        this.backend = compute.backend();
        this.sigmas = sigmas;
        this.images = images;
        this.first = first;
        Workspace w = compute.workspace();
        int in = denoiser.config().inChannels();
        int out = denoiser.config().outChannels();
        int batch = branches.size() * images;
        this.input = w.f32(batch, in, height, width);
        this.output = w.f32(batch, out, height, width);
        this.guided = w.f32(images, out, height, width);
        this.run = denoiser.start(compute,
                new DenoiserSetup(branches, images, height, width, times(_ -> true), List.of(), control));
        List<Integer> layers = request.skipLayers().layers();
        if (request.guided() && !layers.isEmpty()) {
            this.skipRun = denoiser.start(compute, new DenoiserSetup(branches.subList(branches.size() - 1,
                    branches.size()), images, height, width, times(this::skips), layers, null));
            this.skipOutput = w.f32(images, out, height, width);
        } else {
            this.skipRun = null;
            this.skipOutput = null;
        }
    }

    /** Times of the evaluations of this run that are wanted. */
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

    /**
     * Classifier-free guidance u + g (c - u), and skip-layer guidance + s (c - skipped).
     *
     * @param latents [images, channels, height, width] as the network wants them
     * @return valid until the next call
     */
    Tensor at(int i, Tensor latents) {
        float time = sigmas.timestep(i);
        if (request.control() != null) {
            run.controlStrength(request.control().strengthAt(i - first, sigmas.evaluations() - first));
        }
        if (!request.guided()) {
            run.predict(latents, time, output);
            return output;
        }
        backend.combine(new float[] {1}, List.of(latents), input.slice(0, images));
        backend.combine(new float[] {1}, List.of(latents), input.slice(images, 2 * images));
        run.predict(input, time, output);
        Tensor unconditional = output.slice(0, images);
        Tensor conditional = output.slice(images, 2 * images);
        float g = request.guidance();
        if (skipRun != null && skips(i)) {
            float s = request.skipLayers().scale();
            skipRun.predict(latents, time, skipOutput);
            backend.combine(new float[] {1 - g, g + s, -s}, List.of(unconditional, conditional, skipOutput), guided);
        } else {
            backend.combine(new float[] {1 - g, g}, List.of(unconditional, conditional), guided);
        }
        return guided;
    }

    /** Goes through what {@link #at} did not do in the first evaluation, to count memory. */
    void countOthers(Tensor latents) {
        if (skipRun != null) {
            IntStream.range(first, sigmas.evaluations()).filter(this::skips).limit(1)
                    .forEach(i -> skipRun.predict(latents, sigmas.timestep(i), skipOutput));
        }
        if (request.control() != null) {
            run.controlStrength(1);
            run.predict(input, sigmas.timestep(first), output);
        }
    }
}
