package jdiffusion.model.synthetic;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;

/**
 * The autoencoder.
 *
 * @param channels   width at each resolution, finest first
 * @param layers     residual blocks at each resolution of the encoder; the decoder has one more
 * @param latents    channels of the latents
 * @param scale      of the latents
 * @param shift      of the latents; 0 for none
 * @param quant      whether there are 1x1 convolutions behind the encoder and before the decoder
 * @param means      of each channel of the latents; empty for none
 * @param deviations the same; empty together with the means
 */
public record VaeSizes(List<Integer> channels, int layers, int sampleSize, int latents, double scale, double shift,
                       boolean quant, List<Double> means, List<Double> deviations) implements NetworkSizes {
    private static final int COLOURS = 3;

    /** One whose latents have a scale and no means. */
    public VaeSizes(List<Integer> channels, int layers, int sampleSize, int latents, double scale, double shift,
                    boolean quant) {
        this(channels, layers, sampleSize, latents, scale, shift, quant, List.of(), List.of());
    }

    /** One without such convolutions. */
    public VaeSizes(List<Integer> channels, int layers, int sampleSize, int latents, double scale, double shift) {
        this(channels, layers, sampleSize, latents, scale, shift, false);
    }

    @Override
    public ObjectNode config() {
        ObjectNode config = JsonNodeFactory.instance.objectNode().put("_class_name", "AutoencoderKL")
                .put("in_channels", COLOURS).put("out_channels", COLOURS);
        ArrayNode down = config.putArray("down_block_types");
        ArrayNode up = config.putArray("up_block_types");
        ArrayNode widths = config.putArray("block_out_channels");
        for (int width : channels) {
            down.add("DownEncoderBlock2D");
            up.add("UpDecoderBlock2D");
            widths.add(width);
        }
        config.put("layers_per_block", layers).put("act_fn", "silu").put("latent_channels", latents)
                .put("norm_num_groups", 32).put("sample_size", sampleSize).put("scaling_factor", scale)
                .put("shift_factor", shift == 0 ? null : shift);
        if (means.isEmpty()) {
            config.putNull("latents_mean").putNull("latents_std");
        } else {
            means.forEach(config.putArray("latents_mean")::add);
            deviations.forEach(config.putArray("latents_std")::add);
        }
        return config.put("force_upcast", true).put("use_quant_conv", quant).put("use_post_quant_conv", quant)
                .put("mid_block_add_attention", true);
    }

    @Override
    public void tensors(TensorList t) {
        int coarsest = channels.getLast();
        t.conv("encoder.conv_in", channels.getFirst(), COLOURS, 3);
        int in = channels.getFirst();
        for (int i = 0; i < channels.size(); i++) {
            String level = "encoder.down_blocks." + i;
            in = resnets(t, level, layers, in, channels.get(i));
            if (i < channels.size() - 1) {
                t.conv(level + ".downsamplers.0.conv", in, in, 3);
            }
        }
        middle(t, "encoder.mid_block", coarsest);
        t.norm("encoder.conv_norm_out", coarsest).conv("encoder.conv_out", 2 * latents, coarsest, 3)
                .conv("decoder.conv_in", coarsest, latents, 3);
        in = coarsest;
        for (int i = 0; i < channels.size(); i++) {
            String level = "decoder.up_blocks." + i;
            in = resnets(t, level, layers + 1, in, channels.get(channels.size() - 1 - i));
            if (i < channels.size() - 1) {
                t.conv(level + ".upsamplers.0.conv", in, in, 3);
            }
        }
        middle(t, "decoder.mid_block", coarsest);
        if (quant) {
            t.conv("quant_conv", 2 * latents, 2 * latents, 1).conv("post_quant_conv", latents, latents, 1);
        }
        t.norm("decoder.conv_norm_out", in).conv("decoder.conv_out", COLOURS, in, 3);
    }

    /** Residual blocks of one resolution; gives their width. */
    private static int resnets(TensorList t, String level, int count, int in, int out) {
        for (int j = 0; j < count; j++) {
            resnet(t, level + ".resnets." + j, j == 0 ? in : out, out);
        }
        return out;
    }

    private static void resnet(TensorList t, String block, int in, int out) {
        t.norm(block + ".norm1", in).conv(block + ".conv1", out, in, 3).norm(block + ".norm2", out)
                .conv(block + ".conv2", out, out, 3);
        if (in != out) {
            t.conv(block + ".conv_shortcut", out, in, 1);
        }
    }

    private static void middle(TensorList t, String block, int channels) {
        String attention = block + ".attentions.0";
        t.norm(attention + ".group_norm", channels);
        for (String name : new String[] {".to_q", ".to_k", ".to_v", ".to_out.0"}) {
            t.linear(attention + name, channels, channels);
        }
        resnet(t, block + ".resnets.0", channels, channels);
        resnet(t, block + ".resnets.1", channels, channels);
    }
}
