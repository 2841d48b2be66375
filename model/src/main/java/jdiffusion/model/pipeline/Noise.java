package jdiffusion.model.pipeline;

import java.util.Arrays;
import jdiffusion.model.family.LatentSpace;
import jdiffusion.model.sampling.TorchRandom;

/**
 * The random numbers of one draw, in the order in which diffusers takes them from its generator: first the sample of
 * the init image's latents, then the noise, then what a stochastic sampler draws in its steps.
 *
 * @param noise  [images, channels, h, w]
 * @param init   [images, channels, h, w] latents of the init image, scaled for the denoiser; null without one
 * @param random for more
 */
record Noise(float[] noise, float[] init, TorchRandom random) {
    /**
     * @param moments [2, channels, h, w] mean and log-variance of the init image's latents, or null
     * @param size    channels * h * w
     */
    static Noise draw(long seed, int images, int size, float[] moments, LatentSpace space) {
        TorchRandom random = new TorchRandom(seed);
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
        return new Noise(noise, init, random);
    }
}
