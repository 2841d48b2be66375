package jdiffusion.model.pipeline;

import jdiffusion.model.sampling.Prediction;
import jdiffusion.model.sampling.Sigmas;

/**
 * The way from noise to image in one run, or a part of it.
 *
 * @param first      evaluation; not 0 when the run starts from a picture, or goes on where another model stopped
 * @param end        one after the last evaluation
 * @param prediction what the network's output means
 */
record Walk(Sigmas sigmas, int first, int end, Prediction prediction) {
    /** All the way. */
    Walk(Sigmas sigmas, int first, Prediction prediction) {
        this(sigmas, first, sigmas.evaluations(), prediction);
    }

    /** The part of it whose times are a limit's or above. */
    Walk until(double time) {
        return new Walk(sigmas, first, Math.max(first, below(time)), prediction);
    }

    /** The part of the whole schedule whose times are below a limit. */
    Walk from(double time) {
        return new Walk(sigmas, below(time), end, prediction);
    }

    private int below(double time) {
        int i = 0;
        while (i < end && sigmas.timestep(i) >= time) {
            i++;
        }
        return i;
    }

    /** How often the denoiser is asked. */
    int evaluations() {
        return end - first;
    }

    /** The weights of noise and of a clean image in latents before an evaluation; after the last one, all is image. */
    float[] mixed(int i) {
        float sigma = i < sigmas.evaluations() ? sigmas.sigma(i) : 0;
        return new float[] {sigma, (float) prediction.signal(sigma)};
    }
}
