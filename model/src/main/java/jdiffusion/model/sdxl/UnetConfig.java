package jdiffusion.model.sdxl;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.family.DenoiserConfig;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Weights;

/**
 * Sizes of SDXL's UNet, derived from its tensors (Podell et al., "SDXL: Improving Latent Diffusion Models for
 * High-Resolution Image Synthesis", 2023). Lists have an entry for each resolution, finest first.
 *
 * @param inChannels  channels read: of the latents, and in inpainting those of mask and masked latents
 * @param outChannels channels predicted
 * @param channels    width at each resolution
 * @param resnets     residual blocks at each resolution on the way down; one more on the way up
 * @param depths      transformer blocks after each residual block; 0 where there is no attention
 * @param middleDepth transformer blocks in the middle
 * @param heads       attention heads; their channels are what is left
 * @param groups      groups of every GroupNorm
 * @param eps         epsilon of the residual blocks' norms
 * @param timeWidth   width of the vector that conditions residual blocks
 * @param contextDim  width of the text embeddings
 * @param addedDim    width of the pooled text with the embedded sizes
 * @param idChannels  channels into which each size is embedded; 0 where no file says it
 */
public record UnetConfig(int inChannels, int outChannels, List<Integer> channels, int resnets, List<Integer> depths,
                         int middleDepth, List<Integer> heads, int groups, float eps, int timeWidth, int contextDim,
                         int addedDim, int idChannels) implements DenoiserConfig {
    /** Of a transformer's GroupNorm. */
    static final float TRANSFORMER_EPS = 1e-6f;
    /** Of the norms in its blocks. */
    static final float BLOCK_EPS = 1e-5f;
    /** Width of GEGLU's halves, in multiples of the block's. */
    static final int FF_RATIO = 4;
    private static final int MOST_LEVELS = 8;

    public UnetConfig {
        channels = List.copyOf(channels);
        depths = List.copyOf(depths);
        heads = List.copyOf(heads);
    }

    /** Of all transformers, in the order in which they run. */
    @Override
    public int attentions() {
        int down = depths.stream().mapToInt(depth -> depth * resnets).sum();
        return down + middleDepth + depths.stream().mapToInt(depth -> depth * (resnets + 1)).sum();
    }

    /** Those in the middle, as the papers on perturbed attention and smoothed energy have it. */
    @Override
    public List<Integer> usualAttentions() {
        int down = depths.stream().mapToInt(depth -> depth * resnets).sum();
        return IntStream.range(down, down + middleDepth).boxed().toList();
    }

    /** Reads the sizes off the tensors and checks them against config.json. */
    public static UnetConfig of(Weights w, ConfigFile config) {
        int levels = w.count("down_blocks");
        if (levels < 1 || levels > MOST_LEVELS) {
            throw new InputException(config.origin() + ": the UNet beside it has " + levels
                    + " resolutions (down_blocks); 1 to " + MOST_LEVELS + " are possible");
        }
        List<Integer> channels = new ArrayList<>();
        List<Integer> depths = new ArrayList<>();
        String crossed = "mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight";
        for (int i = 0; i < levels; i++) {
            String level = "down_blocks." + i;
            channels.add(w.shape(level + ".resnets.0.conv1.weight", 4).dim(0));
            depths.add(w.count(level + ".attentions.0.transformer_blocks"));
        }
        Shape in = w.shape("conv_in.weight", 4);
        UnetConfig c = new UnetConfig(in.dim(1), w.shape("conv_out.weight", 4).dim(0), channels,
                w.count("down_blocks.0.resnets"), depths, w.count("mid_block.attentions.0.transformer_blocks"),
                heads(config, channels), config.integer("norm_num_groups", 32), config.positiveNumber("norm_eps", 1e-5),
                w.shape("time_embedding.linear_1.weight", 2).dim(0), w.shape(crossed, 2).dim(1),
                w.shape("add_embedding.linear_1.weight", 2).dim(1),
                config.integer("addition_time_embed_dim", 0));
        c.checkSizes(config);
        c.checkAgainst(config);
        return c;
    }

    /** {@code attention_head_dim} is the number of heads, a wrong name that published files have. */
    private static List<Integer> heads(ConfigFile config, List<Integer> channels) {
        String key = config.has("num_attention_heads") && !config.root().get("num_attention_heads").isNull()
                ? "num_attention_heads" : "attention_head_dim";
        JsonNode given = config.root().path(key);
        List<Integer> heads = given.isArray() ? config.integers(key)
                : given.isIntegralNumber() ? channels.stream().map(_ -> given.asInt()).toList()
                : channels.stream().map(UnetConfig::usualHeads).toList();
        if (heads.size() != channels.size()) {
            throw new InputException(config.origin() + ": " + key + " is " + given + ", the UNet has "
                    + channels.size() + " resolutions");
        }
        return heads;
    }

    /** Heads have 64 channels in all published models; very narrow ones have one. */
    static int usualHeads(int width) {
        return Math.max(1, width / 64);
    }

    private void checkSizes(ConfigFile config) {
        for (int i = 0; i < channels.size(); i++) {
            int width = channels.get(i);
            if (groups < 1 || width % groups != 0) {
                throw new InputException(config.origin() + ": norm_num_groups is " + groups
                        + ", which does not divide a width of " + width);
            }
            int count = heads.get(i);
            boolean attends = depths.get(i) > 0 || i == channels.size() - 1;
            if (attends && (count < 1 || width % count != 0)) {
                throw new InputException(config.origin() + ": " + count + " heads do not divide a width of " + width);
            }
        }
        if (resnets < 1 || timeWidth < 1 || channels.getFirst() % 2 != 0) {
            throw new InputException(config.origin() + ": a UNet of " + resnets + " layers a resolution and widths "
                    + channels + " cannot be built");
        }
    }

    private void checkAgainst(ConfigFile config) {
        config.expect("_class_name", UnetNetwork.CLASS);
        config.expect("in_channels", inChannels);
        config.expect("out_channels", outChannels);
        config.expect("block_out_channels", channels);
        config.expect("layers_per_block", resnets);
        config.expect("cross_attention_dim", contextDim);
        config.expect("projection_class_embeddings_input_dim", addedDim);
        JsonNode stated = config.root().path("transformer_layers_per_block");
        if (stated.isArray() && stated.size() == depths.size()) {
            // What it says of a resolution without attention means nothing.
            config.expect("transformer_layers_per_block", IntStream.range(0, depths.size())
                    .mapToObj(i -> depths.get(i) == 0 ? stated.get(i).asInt() : depths.get(i)).toList());
        } else if (stated.isIntegralNumber()) {
            config.expect("transformer_layers_per_block", middleDepth);
        }
        config.expect("addition_embed_type", "text_time");
        config.expect("flip_sin_to_cos", true);
        config.expect("freq_shift", 0);
        config.expect("act_fn", "silu");
        config.expect("use_linear_projection", true);
        config.expect("resnet_time_scale_shift", "default");
        config.check();
    }

    /** Latents may have any size. */
    @Override
    public int patch() {
        return 1;
    }

    @Override
    public int pooledDim() {
        return addedDim;
    }

    @Override
    public int positions() {
        return 0;
    }

    @Override
    public int layers() {
        return 0;
    }

    @Override
    public String describe() {
        return "UNet of widths " + channels + ", " + depths + " transformer blocks after each of " + resnets
                + " residual blocks, " + middleDepth + " in the middle"
                + (inChannels > outChannels ? ", reads " + inChannels + " channels" : "");
    }
}
