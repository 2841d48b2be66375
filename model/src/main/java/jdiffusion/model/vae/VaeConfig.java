package jdiffusion.model.vae;

import java.util.ArrayList;
import java.util.List;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.nn.GroupNorm;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Weights;

/**
 * Sizes of the autoencoder (Rombach et al., "High-Resolution Image Synthesis with Latent Diffusion Models", 2022;
 * 16 latent channels in SD3, 4 in SDXL).
 *
 * @param latentChannels channels of the latents
 * @param channels       width at each resolution, finest first
 * @param layers         residual blocks at each resolution of the encoder; the decoder has one more
 * @param groups         groups of every GroupNorm
 * @param scale          latents of the denoiser = (latents of the autoencoder - shift) * scale, or
 *                       (latents of the autoencoder - mean) * scale / deviation
 * @param shift          see scale
 * @param means          see scale, one for each latent channel; empty where there is one shift for all
 * @param deviations     see scale, one for each latent channel; empty for none
 */
public record VaeConfig(int latentChannels, List<Integer> channels, int layers, int groups, float scale, float shift,
                        List<Float> means, List<Float> deviations) {
    static final String MEANS = "latents_mean";
    static final String DEVIATIONS = "latents_std";
    /** Epsilon of every GroupNorm. */
    private static final float EPS = 1e-6f;
    /** Each halves the image; SD3 has 4. */
    private static final int MOST_LEVELS = 8;

    public VaeConfig {
        channels = List.copyOf(channels);
        means = List.copyOf(means);
        deviations = List.copyOf(deviations);
    }

    public static VaeConfig of(Weights w, ConfigFile config) {
        Shape decoderIn = kernels(w, config, "decoder.conv_in.weight");
        List<Integer> channels = new ArrayList<>();
        int levels = w.at("encoder").count("down_blocks");
        for (int i = 0; i < levels; i++) {
            channels.add(kernels(w, config, "encoder.down_blocks." + i + ".resnets.0.conv1.weight").dim(0));
        }
        if (levels == 0 || levels > MOST_LEVELS) {
            throw new InputException(config.origin() + ": the encoder beside it has " + levels
                    + " resolutions (encoder.down_blocks); 1 to " + MOST_LEVELS + " are possible"
                    + (levels == 0 ? "; use the whole VAE, for a decoder alone does not tell its sizes" : ""));
        }
        if (!config.has("scaling_factor")) {
            throw new InputException(config.origin() + ": scaling_factor is missing, and families differ in it, so what"
                    + " the denoiser draws could not be decoded; add it as the model is published");
        }
        VaeConfig c = new VaeConfig(decoderIn.dim(1), channels,
                w.at("encoder.down_blocks", 0).count("resnets"), config.integer("norm_num_groups", 32),
                config.positiveNumber("scaling_factor", 1), (float) config.number("shift_factor", 0),
                statistics(config, MEANS, decoderIn.dim(1)),
                statistics(config, DEVIATIONS, decoderIn.dim(1)));
        c.checkStatistics(config);
        for (int width : channels) {
            if (c.groups < 1 || width % c.groups != 0) {
                throw new InputException(config.origin() + ": norm_num_groups is " + c.groups
                        + ", which does not divide a width of " + width);
            }
        }
        String activation = config.text("act_fn", "silu");
        if (!activation.equals("silu") && !activation.equals("swish")) {
            throw new InputException(config.origin() + ": act_fn is " + InputException.shown(activation)
                    + "; only silu is known");
        }
        config.expect("_class_name", "AutoencoderKL");
        config.expect("latent_channels", c.latentChannels);
        config.expect("block_out_channels", c.channels);
        config.expect("layers_per_block", c.layers);
        config.expect("use_quant_conv", hasQuantisation(w));
        config.expect("use_post_quant_conv", hasPostQuantisation(w));
        config.check();
        // Asks for float32 where the rest of a model is float16, which overflows here; all is float32 anyway.
        config.flag("force_upcast", true);
        return c;
    }

    /** Whether there is a convolution behind the encoder. */
    static boolean hasQuantisation(Weights w) {
        return w.has("quant_conv.weight");
    }

    /** Whether there is a convolution before the decoder. */
    static boolean hasPostQuantisation(Weights w) {
        return w.has("post_quant_conv.weight");
    }

    /** One number for each latent channel; empty for none. */
    private static List<Float> statistics(ConfigFile config, String key, int channels) {
        List<Float> numbers = config.numbers(key);
        if (!numbers.isEmpty() && numbers.size() != channels) {
            throw new InputException(config.origin() + ": " + key + " has " + numbers.size()
                    + " numbers; one for each of the " + channels + " latent channels is needed");
        }
        return numbers;
    }

    private void checkStatistics(ConfigFile config) {
        if (!means.isEmpty() && shift != 0) {
            throw new InputException(config.origin() + ": has both a shift_factor of " + shift + " and " + MEANS + " "
                    + means + "; only one of them can be taken off");
        }
        for (float deviation : deviations) {
            if (!(deviation > 0)) {
                throw new InputException(config.origin() + ": " + DEVIATIONS + " holds " + deviation
                        + "; positive numbers are needed");
            }
        }
    }

    /** The shape of a convolution's weight, from which sizes are derived. */
    static Shape kernels(Weights w, ConfigFile config, String name) {
        Shape shape = w.shape(name);
        if (shape.rank() != 4) {
            throw new InputException(config.origin() + ": the tensor " + name + " beside it is " + shape
                    + "; a convolution's 4 dimensions are expected");
        }
        return shape;
    }

    /** One of its norms. */
    GroupNorm norm(Weights w, int width) {
        return GroupNorm.load(w, width, groups, EPS);
    }

    /** Pixels of the image per latent pixel, each way. */
    public int factor() {
        return 1 << channels.size() - 1;
    }
}
