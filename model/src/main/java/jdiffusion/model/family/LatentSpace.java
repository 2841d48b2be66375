package jdiffusion.model.family;

import java.util.Arrays;
import jdiffusion.model.vae.Vae;
import jdiffusion.model.vae.VaeConfig;

/**
 * The latents that a denoiser works on, as they come from its autoencoder: (z - mean) * scale / deviation.
 *
 * @param channels      of the latents
 * @param factor        pixels of the picture for each latent pixel, each way
 * @param scale         see above
 * @param means         see above, one for each channel: all are the shift where the autoencoder has one for all
 * @param deviations    see above, one for each channel: all 1 where the autoencoder has none
 * @param inpaintedMean what is added to all channels in decoding what was drawn inside a mask, where diffusers'
 *                      pipelines differ in this; NaN for the means
 * @param picturedScale of latents without means and deviations, which previews and TAESD read; 0 when they read the
 *                      denoiser's own
 */
public record LatentSpace(int channels, int factor, float scale, float[] means, float[] deviations,
                          float inpaintedMean, float picturedScale) {
    public static LatentSpace of(VaeConfig vae) {
        float[] means = new float[vae.latentChannels()];
        float[] deviations = new float[vae.latentChannels()];
        for (int c = 0; c < means.length; c++) {
            means[c] = vae.means().isEmpty() ? vae.shift() : vae.means().get(c);
            deviations[c] = vae.deviations().isEmpty() ? 1 : vae.deviations().get(c);
        }
        return new LatentSpace(means.length, vae.factor(), vae.scale(), means, deviations, Float.NaN, 0);
    }

    /** One where decoding after inpainting leaves the shift out. */
    public LatentSpace withoutInpaintedShift() {
        return new LatentSpace(channels, factor, scale, means, deviations, 0, picturedScale);
    }

    /** One whose previews and TAESD were made for latents z * scale of the same autoencoder. */
    public LatentSpace picturedAt(float scaleOfPictured) {
        return new LatentSpace(channels, factor, scale, means, deviations, inpaintedMean, scaleOfPictured);
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
        int plane = size / channels;
        float[] latents = new float[size];
        for (int i = 0; i < size; i++) {
            float logvar = Math.clamp(moments[size + i], Vae.LOGVAR_MIN, Vae.LOGVAR_MAX);
            float sample = moments[i] + (float) Math.exp(0.5f * logvar) * normals[i];
            latents[i] = (sample - means[i / plane]) * scale / deviations[i / plane];
        }
        return latents;
    }

    /**
     * The means of what the VAE encoded, scaled for the denoiser.
     *
     * @param moments [2, channels, h, w] means and log-variances
     * @param shifted whether the channels' means are taken off
     */
    public float[] means(float[] moments, boolean shifted) {
        float[] latents = new float[moments.length / 2];
        int plane = latents.length / channels;
        for (int i = 0; i < latents.length; i++) {
            float less = shifted ? means[i / plane] : 0;
            latents[i] = (moments[i] - less) * scale / deviations[i / plane];
        }
        return latents;
    }

    /**
     * Latents as the VAE decodes them.
     *
     * @param latents   [images, channels, h, w]
     * @param plane     h * w
     * @param inpainted whether they were drawn inside a mask
     */
    public float[] unscaled(float[] latents, int plane, boolean inpainted) {
        float[] unscaled = new float[latents.length];
        for (int i = 0; i < unscaled.length; i++) {
            int channel = i / plane % channels;
            float more = inpainted && !Float.isNaN(inpaintedMean) ? inpaintedMean : means[channel];
            unscaled[i] = latents[i] * deviations[channel] / scale + more;
        }
        return unscaled;
    }

    /**
     * Latents as previews and TAESD read them; these latents themselves where that is the same.
     *
     * @param latents [images, channels, h, w]
     * @param plane   h * w
     */
    public float[] pictured(float[] latents, int plane) {
        if (picturesOwn()) {
            return latents;
        }
        float[] pictured = unscaled(latents, plane, false);
        for (int i = 0; i < pictured.length; i++) {
            pictured[i] *= picturedScale;
        }
        return pictured;
    }

    /** Latents as TAESD encodes them, scaled for the denoiser: the way back of {@link #pictured}. */
    public float[] ofPictured(float[] pictured, int plane) {
        if (picturesOwn()) {
            return pictured;
        }
        float[] latents = new float[pictured.length];
        for (int i = 0; i < latents.length; i++) {
            int channel = i / plane % channels;
            latents[i] = (pictured[i] / picturedScale - means[channel]) * scale / deviations[channel];
        }
        return latents;
    }

    private boolean picturesOwn() {
        return picturedScale == 0 || picturedScale == scale && all(means, 0) && all(deviations, 1);
    }

    private static boolean all(float[] values, float value) {
        float[] wanted = new float[values.length];
        Arrays.fill(wanted, value);
        return Arrays.equals(values, wanted);
    }
}
