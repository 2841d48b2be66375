package jdiffusion.model.pipeline;

import java.util.List;
import jdiffusion.kernels.Backend;
import jdiffusion.tensor.Tensor;

/**
 * Guidance makes the numbers of a prediction spread wider than in training; this takes them back, in part (Lin et al.,
 * "Common Diffusion Noise Schedules and Sample Steps are Flawed", 2023, section 3.4; diffusers'
 * {@code guidance_rescale}). Per image, guided becomes r guided std(positive) / std(guided) + (1 - r) guided.
 *
 * <p>The deviations are taken on the host: two downloads of a prediction per image and step, which is as large as the
 * latents.
 *
 * @param share  r
 * @param values where a prediction of one image is downloaded to
 */
record GuidanceRescale(float share, float[] values) {
    /** @param size elements of one image's prediction */
    GuidanceRescale(float share, int size) {
        this(share, new float[size]);
    }

    /**
     * @param positive [images, channels, height, width] the prediction with the prompt
     * @param guided   of the same shape; is rescaled in place
     */
    void apply(Backend backend, Tensor positive, Tensor guided) {
        for (int i = 0; i < guided.shape().dim(0); i++) {
            Tensor image = guided.at(i);
            double wide = deviation(backend, image);
            if (wide > 0) {
                double factor = share * deviation(backend, positive.at(i)) / wide + (1 - share);
                backend.combine(new float[] {(float) factor}, List.of(image), image);
            }
        }
    }

    /** The standard deviation over a whole image, with n - 1. */
    private double deviation(Backend backend, Tensor image) {
        backend.download(image, values);
        double sum = 0;
        for (float value : values) {
            sum += value;
        }
        double mean = sum / values.length;
        double squares = 0;
        for (float value : values) {
            squares += (value - mean) * (value - mean);
        }
        return Math.sqrt(squares / (values.length - 1));
    }
}
