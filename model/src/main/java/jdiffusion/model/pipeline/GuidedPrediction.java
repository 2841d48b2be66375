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
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;

/**
 * The network's output with all guidance: with and without the prompt, with layers left out, with a ControlNet,
 * rescaled.
 * Everything is allocated in the constructor.
 */
final class GuidedPrediction {
    private final GenerationRequest request;
    private final Backend backend;
    private final Walk walk;
    private final int images;
    /** Channels of the latents, and how many more the network reads. */
    private final int channels;
    private final int more;
    private final DenoiserRun run;
    private final DenoiserRun skipRun;
    /** All branches' latents; of one branch only where the network does not read latents as they are. */
    private final Tensor input;
    private final Tensor output;
    private final Tensor guided;
    private final Tensor skipOutput;
    private final GuidanceRescale rescale;

    /**
     * @param setup with the conditionings of the negative prompt (if guided) and of the prompt
     */
    GuidedPrediction(Denoiser denoiser, Compute compute, GenerationRequest request, Walk walk, DenoiserSetup setup) {
        this.request = request;
        this.backend = compute.backend();
        this.walk = walk;
        this.images = setup.images();
        int height = setup.height();
        int width = setup.width();
        List<Conditioning> branches = setup.branches();
        Workspace w = compute.workspace();
        int in = denoiser.config().inChannels();
        int out = denoiser.config().outChannels();
        int batch = setup.batch();
        this.channels = out;
        this.more = in - out;
        this.input = w.f32(batch, in, height, width);
        this.output = w.f32(batch, out, height, width);
        this.guided = w.f32(images, out, height, width);
        this.run = denoiser.start(compute,
                new DenoiserSetup(branches, images, height, width, times(_ -> true), List.of(), setup.control()));
        this.rescale = request.guided() && request.guidanceRescale() > 0
                ? new GuidanceRescale(request.guidanceRescale(), out * height * width) : null;
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
        int[] evaluations = IntStream.range(walk.first(), walk.end()).filter(wanted).toArray();
        float[] times = new float[evaluations.length];
        for (int i = 0; i < times.length; i++) {
            times[i] = walk.sigmas().timestep(evaluations[i]);
        }
        return times;
    }

    /** Whether skip-layer guidance takes part in an evaluation. */
    private boolean skips(int i) {
        return request.skipLayers().active(i - walk.first(), walk.evaluations());
    }

    /**
     * Classifier-free guidance u + g (c - u), and skip-layer guidance + s (c - skipped); then rescaled.
     *
     * @param latents [images, channels, height, width] as the sampler has them
     * @return valid until the next call
     */
    Tensor at(int i, Tensor latents) {
        float time = walk.sigmas().timestep(i);
        if (request.control() != null) {
            run.controlStrength(request.control().strengthAt(i - walk.first(), walk.evaluations()));
        }
        float factor = (float) walk.prediction().input(walk.sigmas().sigma(i));
        Tensor read = factor == 1 && more == 0 ? latents : input.slice(0, images);
        if (!request.guided()) {
            if (read != latents) {
                scaled(factor, latents, 0);
            }
            run.predict(read, time, output);
            return output;
        }
        scaled(factor, latents, 0);
        scaled(factor, latents, images);
        run.predict(input, time, output);
        Tensor unconditional = output.slice(0, images);
        Tensor conditional = output.slice(images, 2 * images);
        float g = request.guidance();
        if (skipRun != null && skips(i)) {
            float s = request.skipLayers().scale();
            skipRun.predict(read, time, skipOutput);
            backend.combine(new float[] {1 - g, g + s, -s}, List.of(unconditional, conditional, skipOutput), guided);
        } else {
            backend.combine(new float[] {1 - g, g}, List.of(unconditional, conditional), guided);
        }
        if (rescale != null) {
            rescale.apply(backend, conditional, guided);
        }
        return guided;
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

    /** Goes through what {@link #at} did not do in the first evaluation, to count memory. */
    void countOthers(Tensor latents) {
        if (skipRun != null) {
            IntStream.range(walk.first(), walk.end()).filter(this::skips).limit(1)
                    .forEach(i -> skipRun.predict(latents, walk.sigmas().timestep(i), skipOutput));
        }
        if (request.control() != null) {
            run.controlStrength(1);
            run.predict(input, walk.sigmas().timestep(walk.first()), output);
        }
    }
}
