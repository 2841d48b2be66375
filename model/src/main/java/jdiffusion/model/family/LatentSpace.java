package jdiffusion.model.family;

import jdiffusion.model.vae.Vae;
import jdiffusion.model.vae.VaeConfig;

/**
 * The latents that a denoiser works on, as they come from its autoencoder: (z - shift) * scale.
 *
 * @param channels       of the latents
 * @param factor         pixels of the picture for each latent pixel, each way
 * @param scale          see above
 * @param shift          see above
 * @param inpaintedShift what is added in decoding what was drawn inside a mask; diffusers' pipelines differ in this
 */
public record LatentSpace(int channels, int factor, float scale, float shift, float inpaintedShift) {
    public static LatentSpace of(VaeConfig vae) {
        return new LatentSpace(vae.latentChannels(), vae.factor(), vae.scale(), vae.shift(), vae.shift());
    }

    /** One where decoding after inpainting leaves the shift out. */
    public LatentSpace withoutInpaintedShift() {
        return new LatentSpace(channels, factor, scale, shift, 0);
    }

    /** Numbers of one picture's latents. */
    public int size(int height, int width) {
        return channels * (height / factor) * (width / factor);
    }

    /**
     * A sample of what the VAE encoded, scaled for the denoiser.
     *
     * @param moments [2, channels, h, w] means and log-variances
     * @param normals [channels, h, w] random numbers
     */
    public float[] sample(float[] moments, float[] normals) {
        int size = normals.length;
        float[] latents = new float[size];
        for (int i = 0; i < size; i++) {
            float logvar = Math.clamp(moments[size + i], Vae.LOGVAR_MIN, Vae.LOGVAR_MAX);
            float sample = moments[i] + (float) Math.exp(0.5f * logvar) * normals[i];
            latents[i] = (sample - shift) * scale;
        }
        return latents;
    }

    /**
     * The means of what the VAE encoded, scaled for the denoiser.
     *
     * @param moments [2, channels, h, w] means and log-variances
     * @param shifted whether the shift is taken off
     */
    public float[] means(float[] moments, boolean shifted) {
        float[] latents = new float[moments.length / 2];
        float less = shifted ? shift : 0;
        for (int i = 0; i < latents.length; i++) {
            latents[i] = (moments[i] - less) * scale;
        }
        return latents;
    }

    /**
     * Latents as the VAE decodes them.
     *
     * @param inpainted whether they were drawn inside a mask
     */
    public float[] unscaled(float[] latents, boolean inpainted) {
        float[] unscaled = new float[latents.length];
        float more = inpainted ? inpaintedShift : shift;
        for (int i = 0; i < unscaled.length; i++) {
            unscaled[i] = latents[i] / scale + more;
        }
        return unscaled;
    }
}
