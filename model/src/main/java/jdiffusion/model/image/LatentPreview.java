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
public record LatentPreview(float[][] factors, float[] bias) {
    private static final String FACTORS = "latent_rgb_factors";
    private static final String BIAS = "latent_rgb_bias";

    /** For the latents of SD3 and SD3.5: the numbers of {@code SD3LatentFormat} in Stability's sd3.5 code. */
    private static final LatentPreview SD3 = new LatentPreview(new float[][] {
        {-0.0645f, 0.0177f, 0.1052f}, {0.0028f, 0.0312f, 0.0650f}, {0.1848f, 0.0762f, 0.0360f},
        {0.0944f, 0.0360f, 0.0889f}, {0.0897f, 0.0506f, -0.0364f}, {-0.0020f, 0.1203f, 0.0284f},
        {0.0855f, 0.0118f, 0.0283f}, {-0.0539f, 0.0658f, 0.1047f}, {-0.0057f, 0.0116f, 0.0700f},
        {-0.0412f, 0.0281f, -0.0039f}, {0.1106f, 0.1171f, 0.1220f}, {-0.0248f, 0.0682f, -0.0481f},
        {0.0815f, 0.0846f, 0.1207f}, {-0.0120f, -0.0055f, -0.0867f}, {-0.0749f, -0.0634f, -0.0456f},
        {-0.1418f, -0.1457f, -0.1259f}}, new float[3]);

    /**
     * The projection that a checkpoint's {@code generation_config.json} gives ({@code latent_rgb_factors},
     * [channels][3], and {@code latent_rgb_bias}, [3]), or else that of SD3.
     */
    public static LatentPreview of(ConfigFile config, int channels) {
        JsonNode factors = config.root().get(FACTORS);
        if (factors == null || factors.isNull()) {
            if (channels != SD3.factors.length) {
                throw new InputException(config.origin() + ": no " + FACTORS + ", and none are known for "
                        + channels + " latent channels; leave out --preview");
            }
            return SD3;
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

    /**
     * One pixel for each latent pixel.
     *
     * @param latents [batch, channels, height, width]; the first is shown
     */
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
