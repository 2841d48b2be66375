package jdiffusion.model.sdxl;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.IntNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import jdiffusion.model.synthetic.NetworkSizes;
import jdiffusion.model.synthetic.TensorList;

/**
 * A UNet with heads of 64 channels.
 *
 * @param inChannels channels read
 * @param channels   width at each resolution, finest first
 * @param depths     transformer blocks after each residual block; 0 where there is no attention
 * @param middle     transformer blocks in the middle
 * @param resnets    residual blocks at each resolution on the way down
 * @param contextDim width of the text embeddings
 * @param pooledDim  width of the pooled text
 * @param ids        numbers beside the text
 * @param idChannels channels into which each is embedded
 * @param sampleSize side of the latents in training
 */
record UnetSizes(int inChannels, List<Integer> channels, List<Integer> depths, int middle, int resnets,
                 int contextDim, int pooledDim, int ids, int idChannels, int sampleSize) implements NetworkSizes {
    static final int CHANNELS = 4;
    static final int HEAD = 64;
    private static final int GROUPS = 32;

    int timeWidth() {
        return 4 * channels.getFirst();
    }

    private int addedDim() {
        return pooledDim + ids * idChannels;
    }

    @Override
    public ObjectNode config() {
        int levels = channels.size();
        ObjectNode config = JsonNodeFactory.instance.objectNode().put("_class_name", UnetNetwork.CLASS)
                .put("act_fn", "silu").put("addition_embed_type", "text_time")
                .put("addition_time_embed_dim", idChannels);
        ArrayNode heads = config.putArray("attention_head_dim");
        ArrayNode widths = config.putArray("block_out_channels");
        ArrayNode down = config.putArray("down_block_types");
        ArrayNode up = config.putArray("up_block_types");
        ArrayNode blocks = JsonNodeFactory.instance.arrayNode();
        for (int i = 0; i < levels; i++) {
            heads.add(UnetConfig.usualHeads(channels.get(i)));
            widths.add(channels.get(i));
            blocks.add(depths.get(i) > 0 ? depths.get(i) : i == levels - 1 ? middle : 1);
            down.add(depths.get(i) > 0 ? "CrossAttnDownBlock2D" : "DownBlock2D");
            up.add(depths.get(levels - 1 - i) > 0 ? "CrossAttnUpBlock2D" : "UpBlock2D");
        }
        boolean alike = depths.stream().allMatch(depth -> depth == 0 || depth == middle);
        config.set("transformer_layers_per_block", alike ? IntNode.valueOf(middle) : blocks);
        return config.put("center_input_sample", false).put("cross_attention_dim", contextDim)
                .put("downsample_padding", 1).put("flip_sin_to_cos", true).put("freq_shift", 0)
                .put("in_channels", inChannels).put("layers_per_block", resnets).put("mid_block_scale_factor", 1)
                .put("mid_block_type", "UNetMidBlock2DCrossAttn").put("norm_eps", 1e-5)
                .put("norm_num_groups", GROUPS).put("out_channels", CHANNELS)
                .put("projection_class_embeddings_input_dim", addedDim())
                .put("resnet_time_scale_shift", "default").put("sample_size", sampleSize)
                .put("use_linear_projection", true);
    }

    @Override
    public void tensors(TensorList t) {
        int finest = channels.getFirst();
        t.conv("conv_in", finest, inChannels, 3).linear("time_embedding.linear_1", timeWidth(), finest)
                .linear("time_embedding.linear_2", timeWidth(), timeWidth())
                .linear("add_embedding.linear_1", timeWidth(), addedDim())
                .linear("add_embedding.linear_2", timeWidth(), timeWidth());
        List<Integer> skips = new ArrayList<>(List.of(finest));
        int in = finest;
        for (int i = 0; i < channels.size(); i++) {
            int out = channels.get(i);
            String level = "down_blocks." + i;
            for (int j = 0; j < resnets; j++) {
                resnet(t, level + ".resnets." + j, j == 0 ? in : out, out);
                transformer(t, level + ".attentions." + j, out, depths.get(i));
                skips.add(out);
            }
            if (i < channels.size() - 1) {
                t.conv(level + ".downsamplers.0.conv", out, out, 3);
                skips.add(out);
            }
            in = out;
        }
        resnet(t, "mid_block.resnets.0", in, in);
        transformer(t, "mid_block.attentions.0", in, middle);
        resnet(t, "mid_block.resnets.1", in, in);
        for (int i = 0; i < channels.size(); i++) {
            int from = channels.size() - 1 - i;
            int out = channels.get(from);
            String level = "up_blocks." + i;
            for (int j = 0; j <= resnets; j++) {
                resnet(t, level + ".resnets." + j, (j == 0 ? in : out) + skips.removeLast(), out);
                transformer(t, level + ".attentions." + j, out, depths.get(from));
            }
            if (from > 0) {
                t.conv(level + ".upsamplers.0.conv", out, out, 3);
            }
            in = out;
        }
        t.norm("conv_norm_out", finest).conv("conv_out", CHANNELS, finest, 3);
    }

    private void resnet(TensorList t, String block, int in, int out) {
        t.norm(block + ".norm1", in).conv(block + ".conv1", out, in, 3)
                .linear(block + ".time_emb_proj", out, timeWidth()).norm(block + ".norm2", out)
                .conv(block + ".conv2", out, out, 3);
        if (in != out) {
            t.conv(block + ".conv_shortcut", out, in, 1);
        }
    }

    private void transformer(TensorList t, String name, int width, int depth) {
        if (depth == 0) {
            return;
        }
        t.norm(name + ".norm", width).linear(name + ".proj_in", width, width).linear(name + ".proj_out", width, width);
        for (int i = 0; i < depth; i++) {
            String block = name + ".transformer_blocks." + i;
            attention(t, block + ".attn1", width, width);
            attention(t, block + ".attn2", width, contextDim);
            t.norm(block + ".norm1", width).norm(block + ".norm2", width).norm(block + ".norm3", width)
                    .linear(block + ".ff.net.0.proj", 2 * UnetConfig.FF_RATIO * width, width)
                    .linear(block + ".ff.net.2", width, UnetConfig.FF_RATIO * width);
        }
    }

    private static void attention(TensorList t, String name, int width, int context) {
        t.matrix(name + ".to_q", 1, width, width).matrix(name + ".to_k", 1, width, context)
                .matrix(name + ".to_v", 1, width, context).linear(name + ".to_out.0", width, width);
    }
}
