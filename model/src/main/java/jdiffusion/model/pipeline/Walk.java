package jdiffusion.model.pipeline;

import jdiffusion.model.sampling.Prediction;
import jdiffusion.model.sampling.Sigmas;

/**
 * The way from noise to image in one run.
 *
 * @param first      evaluation; not 0 when the run starts from a picture
 * @param prediction what the network's output means
 */
record Walk(Sigmas sigmas, int first, Prediction prediction) {
    /** One after the last evaluation. */
    int end() {
        return sigmas.evaluations();
    }

    /** How often the denoiser is asked. */
    int evaluations() {
        return end() - first;
    }

    /** The weights of noise and of a clean image in latents before an evaluation; after the last one, all is image. */
    float[] mixed(int i) {
        float sigma = i < end() ? sigmas.sigma(i) : 0;
        return new float[] {sigma, (float) prediction.signal(sigma)};
    }
}
