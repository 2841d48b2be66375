package jdiffusion.model.flux;

import java.util.List;
import java.util.stream.IntStream;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.family.DenoiserConfig;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Weights;

/**
 * Sizes of FLUX.1's transformer, derived from its tensors (Black Forest Labs, 2024).
 *
 * @param hidden     width d of the residual streams
 * @param heads      attention heads
 * @param headDim    channels of a head; heads * headDim = hidden
 * @param depth      double stream blocks
 * @param singles    single stream blocks
 * @param axes       channels of a head that turn with a token's index, its row and its column
 * @param guidance   whether a guidance scale is embedded beside the time ([dev], not [schnell])
 * @param inChannels latent channels, read and predicted
 * @param contextDim width of the text embeddings
 * @param pooledDim  width of the pooled text embedding
 */
public record FluxConfig(int hidden, int heads, int headDim, int depth, int singles, List<Integer> axes,
                         boolean guidance, int inChannels, int contextDim, int pooledDim) implements DenoiserConfig {
    /** Channels of the sinusoids of time and guidance. */
    public static final int TIMESTEP_CHANNELS = 256;
    /** Inner width of the feed-forward layers, in multiples of hidden. */
    public static final int MLP_RATIO = 4;
    /** Epsilon of every norm in the model. */
    public static final float EPS = 1e-6f;
    /** Side in latent pixels of what one token covers. */
    public static final int PATCH = 2;
    private static final int PATCH_PIXELS = PATCH * PATCH;
    /** The blocks, and by what their widths are told. */
    static final String DOUBLE_BLOCKS = "transformer_blocks";
    static final String SINGLE_BLOCKS = "single_transformer_blocks";
    static final String IMAGE_IN = "x_embedder.weight";
    private static final String Q_NORM = ".attn.norm_q.weight";
    /** Columns of the image's projection in models that read more than latents. */
    private static final int FILL_COLUMNS = 384;
    private static final int CONTROL_COLUMNS = 128;

    public FluxConfig {
        axes = List.copyOf(axes);
    }

    @Override
    public int outChannels() {
        return inChannels;
    }

    @Override
    public int patch() {
        return PATCH;
    }

    /** Rotations have no end. */
    @Override
    public int positions() {
        return 0;
    }

    @Override
    public int layers() {
        return 0;
    }

    /** Channels of a token of the image. */
    int packed() {
        return inChannels * PATCH_PIXELS;
    }

    /** The double stream blocks, then the single ones. Nobody has published which are good for guidance. */
    @Override
    public int attentions() {
        return depth + singles;
    }

    @Override
    public boolean reusesBlocks() {
        return true;
    }

    @Override
    public String describe() {
        return depth + " double and " + singles + " single stream blocks of width " + hidden + ", " + heads
                + " heads of " + headDim + (guidance ? ", embedded guidance" : "");
    }

    /** The published 16, 56, 56 of 128, as large a part of another head. */
    static List<Integer> usualAxes(int headDim) {
        int index = headDim / 8;
        int row = (headDim - index) / 2;
        return List.of(index, row, headDim - index - row);
    }

    /** Reads the sizes off the tensors and checks them against config.json. */
    public static FluxConfig of(Weights weights, ConfigFile config) {
        Shape image = matrix(weights, config, IMAGE_IN, 2); // [d, 4 c]
        refuseOthers(config, image.dim(1));
        int hidden = image.dim(0);
        int depth = weights.count(DOUBLE_BLOCKS);
        int singles = weights.count(SINGLE_BLOCKS);
        int headDim = matrix(weights, config, (depth > 0 ? DOUBLE_BLOCKS : SINGLE_BLOCKS) + ".0" + Q_NORM, 1).dim(0);
        List<Integer> axes = config.has("axes_dims_rope") ? config.integers("axes_dims_rope") : usualAxes(headDim);
        if (headDim < 1 || hidden % headDim != 0 || image.dim(1) % PATCH_PIXELS != 0) {
            throw new InputException(config.origin() + ": a denoiser of width " + hidden + " with heads of " + headDim
                    + " and tokens of " + image.dim(1) + " channels cannot be built");
        }
        if (axes.size() != 3 || axes.stream().anyMatch(axis -> axis < 0 || axis % 2 != 0)
                || axes.stream().mapToLong(Integer::longValue).sum() != headDim) {
            throw new InputException(config.origin() + ": axes_dims_rope " + axes + " are no three even numbers whose"
                    + " sum is the width of a head, " + headDim);
        }
        FluxConfig c = new FluxConfig(hidden, hidden / headDim, headDim, depth, singles, axes,
                weights.has("time_text_embed.guidance_embedder.linear_1.weight"), image.dim(1) / PATCH_PIXELS,
                matrix(weights, config, "context_embedder.weight", 2).dim(1),
                matrix(weights, config, "time_text_embed.text_embedder.linear_1.weight", 2).dim(1));
        config.expect("_class_name", FluxNetwork.CLASS);
        config.expect("num_layers", c.depth);
        config.expect("num_single_layers", c.singles);
        config.expect("num_attention_heads", c.heads);
        config.expect("attention_head_dim", c.headDim);
        config.expect("in_channels", c.packed());
        config.expect("joint_attention_dim", c.contextDim);
        config.expect("pooled_projection_dim", c.pooledDim);
        config.expect("guidance_embeds", c.guidance);
        config.check();
        return c;
    }

    /** Models of the same shapes otherwise, which read more than latents. */
    private static void refuseOthers(ConfigFile config, int columns) {
        String other = columns == FILL_COLUMNS ? "FLUX.1 Fill" : columns == CONTROL_COLUMNS
                ? "FLUX.1 Depth or Canny" : null;
        if (other != null) {
            throw new InputException(config.origin() + ": this is " + other + " (its tokens have " + columns
                    + " channels, those of FLUX.1 [dev] and [schnell] 64), which is not supported; use one of these"
                    + " two");
        }
    }

    private static Shape matrix(Weights weights, ConfigFile config, String name, int rank) {
        Shape shape = weights.shape(name);
        if (shape.rank() != rank) {
            throw new InputException(config.origin() + ": the tensor " + name + " is " + shape + "; " + rank
                    + " dimensions are expected");
        }
        return shape;
    }

    /** The double and the single stream blocks, in the order in which they run. */
    static List<Weights> blocks(Weights w, FluxConfig c) {
        return IntStream.range(0, c.depth + c.singles).mapToObj(i -> i < c.depth ? w.at(DOUBLE_BLOCKS, i)
                : w.at(SINGLE_BLOCKS, i - c.depth)).toList();
    }
}
