package jdiffusion.model.vae;

import java.util.List;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.tensor.InputException;

/**
 * Sizes of a small autoencoder, all of which its tensors say.
 *
 * @param latentChannels channels of the latents
 * @param factor         pixels of the image per latent pixel, each way
 */
public record TaesdConfig(int latentChannels, int factor) {
    /** The class of diffusers. */
    public static final String CLASS = "AutoencoderTiny";
    /** Each doubles the image; the published ones have 4. */
    private static final int MOST_LEVELS = 8;

    /** @param encoder null for none */
    static TaesdConfig of(TaesdEncoder encoder, TaesdDecoder decoder, ConfigFile config) {
        int levels = decoder.levels().size();
        int channels = decoder.in().weight().shape().dim(1);
        if (levels > MOST_LEVELS) {
            throw new InputException(config.origin() + ": the decoder has " + levels + " resolutions; at most "
                    + MOST_LEVELS + " are possible");
        }
        if (encoder != null && (encoder.levels().size() != levels || encoder.out().out() != channels)) {
            throw new InputException(config.origin() + ": the encoder has " + encoder.levels().size()
                    + " resolutions and " + encoder.out().out() + " latent channels, the decoder " + levels + " and "
                    + channels + "; do they belong together?");
        }
        config.expect("_class_name", CLASS);
        config.expect("in_channels", 3);
        config.expect("out_channels", 3);
        config.expect("latent_channels", channels);
        config.expect("num_decoder_blocks", decoder.levels().stream().map(level -> level.blocks().size()).toList());
        if (encoder != null) {
            config.expect("num_encoder_blocks",
                    encoder.levels().stream().map(level -> level.blocks().size()).toList());
            config.expect("encoder_block_out_channels",
                    encoder.levels().stream().map(level -> level.in().out()).toList());
        }
        config.expect("decoder_block_out_channels", widths(decoder));
        config.check();
        known(config, "act_fn", "relu");
        known(config, "upsample_fn", "nearest");
        known(config, "upsampling_scaling_factor", 2);
        known(config, "scaling_factor", 1);
        known(config, "shift_factor", 0);
        return new TaesdConfig(channels, 1 << levels - 1);
    }

    private static List<Integer> widths(TaesdDecoder decoder) {
        return decoder.levels().stream().map(level -> level.upsample() != null ? level.upsample().out()
                : decoder.out().weight().shape().dim(1)).toList();
    }

    private static void known(ConfigFile config, String key, String only) {
        String value = config.text(key, only);
        if (!value.equals(only)) {
            throw new InputException(config.origin() + ": " + key + " is " + InputException.shown(value) + "; only "
                    + only + " is known");
        }
    }

    private static void known(ConfigFile config, String key, int only) {
        double value = config.number(key, only);
        if (value != only) {
            throw new InputException(config.origin() + ": " + key + " is " + value + "; only " + only + " is known");
        }
    }
}
