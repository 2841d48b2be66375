package jdiffusion.model.pixart;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import jdiffusion.model.JsonTree;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.family.DenoiserConfig;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Weights;

/**
 * Sizes of PixArt's transformer, derived from its tensors (Chen et al., "PixArt-alpha", 2023, and "PixArt-Sigma",
 * 2024).
 *
 * @param hidden     width d of the residual stream
 * @param heads      attention heads
 * @param headDim    channels of a head; heads * headDim = hidden
 * @param depth      blocks
 * @param patch      side of a patch in latent pixels
 * @param inChannels latent channels read
 * @param predicted  channels predicted: those of the noise, and behind them as many of a variance that was learned
 *                   with it and that no solver here reads
 * @param contextDim width of the text embeddings
 * @param sampleSize side of the latents of a picture of the training size
 * @param scale      of positions: how many times finer they are than those of pictures of 512 pixels
 * @param sizes      whether the network is told the picture's size and shape, as PixArt-alpha at 1024 pixels is
 */
public record DitConfig(int hidden, int heads, int headDim, int depth, int patch, int inChannels, int predicted,
                        int contextDim, int sampleSize, double scale, boolean sizes) implements DenoiserConfig {
    /** Channels of the sinusoids of times and sizes. */
    static final int SINUSOIDS = 256;
    /** Inner width of the feed-forward layers, in multiples of hidden. */
    static final int MLP_RATIO = 4;
    /** Epsilon of every norm in the model. */
    static final float EPS = 1e-6f;
    /** Numbers that a network with sizes is told: height, width and their ratio. */
    static final int SIZES = 3;
    /** Side of the latents of the published model for pictures of 1024 pixels. */
    static final int USUAL_SIDE = 128;
    /** Side of the latents at which positions are whole numbers. */
    private static final double BASE_SIDE = 64;
    private static final int USUAL_HEAD = 72;
    private static final int LARGEST_PATCH = 64;

    @Override
    public int attentions() {
        return depth;
    }

    /** That of diffusers' pipeline for PixArt with perturbed-attention guidance. */
    @Override
    public List<Integer> usualAttentions() {
        return List.of(Math.min(1, depth - 1));
    }

    /** Reads the sizes off the tensors and checks them against config.json. */
    public static DitConfig of(Weights w, ConfigFile config) {
        Shape patches = shape(w, config, "pos_embed.proj.weight", 4); // [d, c, p, p]
        int hidden = patches.dim(0);
        int patch = patches.dim(2);
        int depth = w.count("transformer_blocks");
        int headDim = config.positiveInteger("attention_head_dim", usualHead(hidden));
        int sampleSize = config.positiveInteger("sample_size", USUAL_SIDE);
        int out = shape(w, config, "proj_out.weight", 2).dim(0);
        boolean sizes = w.has("adaln_single.emb.resolution_embedder.linear_1.weight");
        // The columns' and the rows' half of the positions each have sines and cosines.
        if (hidden % headDim != 0 || hidden % 4 != 0 || patch < 1 || patch > LARGEST_PATCH || depth < 1
                || sizes && hidden % SIZES != 0) {
            throw new InputException(config.origin() + ": a PixArt denoiser of width " + hidden + ", heads of "
                    + headDim + ", patches of " + patch + " and " + depth + " blocks cannot be built");
        }
        DitConfig c = new DitConfig(hidden, hidden / headDim, headDim, depth, patch, patches.dim(1),
                out / (patch * patch), shape(w, config, "caption_projection.linear_1.weight", 2).dim(1), sampleSize,
                config.positiveNumber("interpolation_scale", defaultScale(sampleSize)), sizes);
        if (c.predicted != c.inChannels && c.predicted != 2 * c.inChannels) {
            throw new InputException(config.origin() + ": the denoiser reads " + c.inChannels + " channels and predicts "
                    + c.predicted + "; as many, or twice as many with a learned variance, are known");
        }
        if ((float) config.number("norm_eps", EPS) != EPS) {
            throw new InputException(config.origin() + ": norm_eps is " + config.number("norm_eps", EPS) + "; only "
                    + EPS + " is known");
        }
        c.checkAgainst(config);
        return c;
    }

    /** That of the published models, or the only head of a network that is narrower. */
    static int usualHead(int hidden) {
        return hidden / Math.max(1, hidden / USUAL_HEAD);
    }

    /** Scale of the positions of the published model for latents of that side. */
    static double usualScale(int sampleSize) {
        return sampleSize / BASE_SIDE;
    }

    /** The one that a configuration means which states none. */
    static double defaultScale(int sampleSize) {
        return Math.max(Math.floor(usualScale(sampleSize)), 1);
    }

    private static Shape shape(Weights w, ConfigFile config, String name, int rank) {
        Shape shape = w.shape(name);
        if (shape.rank() != rank) {
            throw new InputException(config.origin() + ": the tensor " + name + " is " + shape + "; " + rank
                    + " dimensions are expected");
        }
        return shape;
    }

    private void checkAgainst(ConfigFile config) {
        String name = config.text("_class_name", DitNetwork.CLASS);
        config.expect("_class_name", name.equals(DitNetwork.OLD_CLASS) ? name : DitNetwork.CLASS);
        config.expect("norm_type", DitNetwork.NORM_TYPE);
        config.expect("activation_fn", "gelu-approximate");
        config.expect("attention_type", "default");
        config.expect("norm_elementwise_affine", false);
        config.expect("attention_bias", true);
        config.expect("num_layers", depth);
        config.expect("num_attention_heads", heads);
        config.expect("in_channels", inChannels);
        config.expect("out_channels", predicted);
        config.expect("patch_size", patch);
        config.expect("cross_attention_dim", hidden);
        config.expect("caption_channels", contextDim);
        config.expect("use_additional_conditions", sizes);
        config.check();
    }

    /**
     * A config.json of these sizes.
     *
     * @param className of the two that it may name
     */
    ObjectNode toJson(String className) {
        ObjectNode json = JsonTree.object().put("_class_name", className).put("activation_fn", "gelu-approximate")
                .put("attention_bias", true).put("attention_head_dim", headDim).put("attention_type", "default")
                .put("caption_channels", contextDim).put("cross_attention_dim", hidden).put("dropout", 0.0)
                .put("in_channels", inChannels)
                .put("norm_elementwise_affine", false).put("norm_eps", 1e-6).put("norm_num_groups", 32)
                .put("norm_type", DitNetwork.NORM_TYPE).put("num_attention_heads", heads)
                .put("num_embeds_ada_norm", 1000).put("num_layers", depth).put("out_channels", predicted)
                .put("patch_size", patch).put("sample_size", sampleSize).put("upcast_attention", false)
                .put("use_additional_conditions", sizes);
        return scale == (int) scale ? json.put("interpolation_scale", (int) scale)
                : json.put("interpolation_scale", JsonTree.decimal((float) scale));
    }

    /** Channels of the noise; the learned variance is not handed out. */
    @Override
    public int outChannels() {
        return inChannels;
    }

    /** There is none. */
    @Override
    public int pooledDim() {
        return 0;
    }

    /** Positions are computed for any size. */
    @Override
    public int positions() {
        return 0;
    }

    @Override
    public int layers() {
        return 0;
    }

    @Override
    public boolean reusesBlocks() {
        return true;
    }

    @Override
    public String describe() {
        return depth + " blocks of width " + hidden + ", " + heads + " heads of " + headDim + ", for latents of "
                + sampleSize + "x" + sampleSize + (sizes ? ", told the picture's size" : "");
    }
}
