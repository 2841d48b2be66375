package jdiffusion.model.pipeline;

import java.util.Arrays;
import jdiffusion.model.family.LatentSpace;
import jdiffusion.model.sampling.TorchRandom;

/**
 * The random numbers of one draw, in the order in which diffusers takes them from its generator: first the sample of
 * the init image's latents, then the noise, then that of the masked image's latents, then what a stochastic sampler
 * draws in its steps.
 *
 * @param noise  [images, channels, h, w]
 * @param init   [images, channels, h, w] latents of the init image, scaled for the denoiser; null without one
 * @param masked [channels, h, w] latents of the masked init image, likewise; null where nothing reads them
 * @param random for more
 */
record Noise(float[] noise, float[] init, float[] masked, TorchRandom random) {
    /**
     * What there is to sample besides the noise.
     *
     * @param init   [2, channels, h, w] mean and log-variance of the init image's latents, or null
     * @param masked the same of the masked image, or null
     * @param draws  whether numbers are drawn for a masked image, though nothing may read it
     */
    record Moments(float[] init, float[] masked, boolean draws) {
    }

    /** @param size channels * h * w */
    static Noise draw(TorchRandom random, int images, int size, Moments given, LatentSpace space) {
        float[] moments = given.init;
        float[] init = null;
        if (moments != null) {
            float[] normals = new float[size];
            random.normals(normals);
            init = Arrays.copyOf(space.sample(moments, normals), images * size);
            for (int i = 1; i < images; i++) {
                System.arraycopy(init, 0, init, i * size, size);
            }
        }
        float[] noise = new float[images * size];
        random.normals(noise);
        float[] masked = null;
        if (given.draws) {
            float[] normals = new float[size];
            random.normals(normals);
            masked = given.masked == null ? null : space.sample(given.masked, normals);
        }
        return new Noise(noise, init, masked, random);
    }
}
