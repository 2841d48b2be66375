package jdiffusion.model.image;

import com.fasterxml.jackson.databind.JsonNode;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.tensor.InputException;

/**
 * A rough picture of latents without the VAE: each pixel's colour is a linear function of its channels.
 *
 * @param factors [channels][3], to red, green and blue in -1 to 1
 * @param bias    [3]
 */
public record LatentPreview(float[][] factors, float[] bias) implements LatentPictures {
    /** Of SDXL's latents, which other families have too: the numbers of ComfyUI's {@code latent_formats.SDXL}. */
    public static final LatentPreview SDXL = new LatentPreview(new float[][] {
        {0.3651f, 0.4232f, 0.4341f}, {-0.2533f, -0.0042f, 0.1068f}, {0.1076f, 0.1111f, -0.0362f},
        {-0.3165f, -0.2492f, -0.2188f}}, new float[] {0.1084f, -0.0175f, -0.0011f});

    private static final String FACTORS = "latent_rgb_factors";
    private static final String BIAS = "latent_rgb_bias";

    /**
     * The projection that a checkpoint's {@code generation_config.json} gives ({@code latent_rgb_factors},
     * [channels][3], and {@code latent_rgb_bias}, [3]), or else the usual one.
     *
     * @param usual of the family; null for none
     */
    public static LatentPreview of(ConfigFile config, int channels, LatentPreview usual) {
        JsonNode factors = config.root().get(FACTORS);
        if (factors == null || factors.isNull()) {
            if (usual == null || channels != usual.factors.length) {
                throw new InputException(config.origin() + ": no " + FACTORS + ", and none are known for "
                        + channels + " latent channels; leave out --preview");
            }
            return usual;
        }
        JsonNode bias = config.root().get(BIAS);
        float[][] rows = new float[channels][];
        for (int c = 0; c < channels; c++) {
            rows[c] = triple(config, FACTORS, factors.size() == channels ? factors.get(c) : null, channels);
        }
        return new LatentPreview(rows, bias == null || bias.isNull() ? new float[3]
                : triple(config, BIAS, bias, channels));
    }

    private static float[] triple(ConfigFile config, String key, JsonNode node, int channels) {
        boolean right = node != null && node.isArray() && node.size() == 3;
        for (int i = 0; right && i < 3; i++) {
            right = node.get(i).isNumber();
        }
        if (!right) {
            throw new InputException(config.origin() + ": " + key + " must be "
                    + (key.equals(BIAS) ? "3 numbers" : channels + " rows of 3 numbers, one for each latent channel"));
        }
        return new float[] {node.get(0).floatValue(), node.get(1).floatValue(), node.get(2).floatValue()};
    }

    /** One pixel for each latent pixel. */
    @Override
    public Picture picture(float[] latents, int height, int width) {
        byte[] rgb = new byte[3 * height * width];
        int plane = height * width;
        for (int i = 0; i < plane; i++) {
            for (int k = 0; k < 3; k++) {
                float sum = bias[k];
                for (int c = 0; c < factors.length; c++) {
                    sum += latents[c * plane + i] * factors[c][k];
                }
                rgb[3 * i + k] = (byte) (255 * Math.clamp((sum + 1) / 2, 0, 1));
            }
        }
        return new Picture(width, height, rgb);
    }
}
