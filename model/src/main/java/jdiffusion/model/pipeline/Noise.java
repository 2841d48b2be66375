package jdiffusion.model.pipeline;

import java.util.List;
import jdiffusion.model.family.LatentSpace;
import jdiffusion.model.sampling.RandomNormals;

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
record Noise(float[] noise, float[] init, float[] masked, RandomNormals random) {
    /**
     * What there is to sample besides the noise.
     *
     * @param init   what the init image became, or null
     * @param masked the same of the masked image, or null
     * @param draws  whether numbers are drawn for a masked image, though nothing may read it
     */
    record Moments(Encoded init, Encoded masked, boolean draws) {
    }

    /**
     * What an encoder made of a picture.
     *
     * @param values  of a VAE the mean and log-variance of its latents [2, channels, h, w]; of a TAESD the latents
     *                themselves [channels, h, w], scaled for the denoiser
     * @param sampled whether it is the former
     */
    record Encoded(float[] values, boolean sampled) {
        /** Its latents, scaled for the denoiser; only a distribution takes numbers from the generator. */
        float[] sample(RandomNormals random, LatentSpace space) {
            if (!sampled) {
                return values;
            }
            float[] normals = new float[values.length / 2];
            random.normals(normals);
            return space.sample(values, normals);
        }
    }

    /**
     * @param size  channels * h * w
     * @param given of all images, or one for each
     */
    static Noise draw(RandomNormals random, int images, int size, List<Moments> given, LatentSpace space) {
        Moments first = given.getFirst();
        float[] init = first.init == null ? null : new float[images * size];
        float[] sample = null;
        for (int i = 0; i < images && init != null; i++) {
            sample = i < given.size() ? given.get(i).init.sample(random, space) : sample;
            System.arraycopy(sample, 0, init, i * size, size);
        }
        float[] noise = new float[images * size];
        random.normals(noise);
        float[] masked = null;
        if (first.masked != null) {
            masked = first.masked.sample(random, space);
        } else if (first.draws) {
            random.normals(new float[size]);
        }
        return new Noise(noise, init, masked, random);
    }
}
