package jdiffusion.model.auraflow;

import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.family.DenoiserConfig;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Weights;

/**
 * Sizes of AuraFlow's transformer, derived from its tensors.
 *
 * @param hidden      width d of the residual streams
 * @param heads       attention heads
 * @param headDim     channels of a head; heads * headDim = hidden
 * @param joint       blocks where image and text have weights of their own
 * @param single      blocks after them, where both share all weights
 * @param inner       width of the feed-forward layers
 * @param patch       side of a patch in latent pixels
 * @param inChannels  latent channels read
 * @param outChannels latent channels predicted
 * @param contextDim  width of the text embeddings
 * @param registers   learned tokens before the text
 * @param positions   side of the square table of positions, in patches: the limit on the image's size
 */
public record AuraFlowConfig(int hidden, int heads, int headDim, int joint, int single, int inner, int patch,
                             int inChannels, int outChannels, int contextDim, int registers, int positions)
        implements DenoiserConfig {
    static final String JOINT_BLOCKS = "joint_transformer_blocks";
    static final String SINGLE_BLOCKS = "single_transformer_blocks";
    /** Channels of the sinusoidal embedding of the time. */
    static final int TIME_CHANNELS = 256;
    /** Epsilon of every norm in the model. */
    static final float EPS = 1e-5f;
    /** Channels of a head in the published models; narrower ones have one head. */
    static final int USUAL_HEAD = 256;
    static final int USUAL_PATCH = 2;
    /** Far beyond the 2 of the published models; its square has to stay a number of channels. */
    private static final int LARGEST_PATCH = 64;
    /** Widths of feed-forward layers are multiples of it. */
    private static final int INNER_MULTIPLE = 256;

    @Override
    public int pooledDim() {
        return 0;
    }

    /** There is no skip-layer guidance: what leaving out a block does to AuraFlow is not known. */
    @Override
    public int layers() {
        return 0;
    }

    /** The joint blocks, then the single ones. Nobody has published which are good for guidance. */
    @Override
    public int attentions() {
        return blocks();
    }

    @Override
    public boolean reusesBlocks() {
        return true;
    }

    @Override
    public String describe() {
        return joint + " joint and " + single + " single blocks of width " + hidden + ", " + heads + " heads of "
                + headDim;
    }

    /** Blocks in all. */
    int blocks() {
        return joint + single;
    }

    /** Channels of a head where no file says it. */
    static int usualHead(int hidden) {
        return hidden / Math.max(1, hidden / USUAL_HEAD);
    }

    /** Width of the feed-forward layers: two thirds of 4 d, rounded up. */
    static int usualInner(int hidden) {
        return Math.ceilDiv(2 * (4 * hidden) / 3, INNER_MULTIPLE) * INNER_MULTIPLE;
    }

    /** Reads the sizes off the tensors and checks them against config.json. */
    static AuraFlowConfig of(Weights w, ConfigFile config) {
        Shape patches = w.shape("pos_embed.proj.weight", 2); // [d, c p p]
        int table = w.shape("pos_embed.pos_embed", 3).dim(1);
        int hidden = patches.dim(0);
        int headDim = config.positiveInteger("attention_head_dim", usualHead(hidden));
        int patch = config.positiveInteger("patch_size", USUAL_PATCH);
        int pixels = patch > LARGEST_PATCH ? 0 : patch * patch;
        int out = w.shape("proj_out.weight", 2).dim(0);
        int joint = w.count(JOINT_BLOCKS);
        int side = (int) Math.sqrt(table);
        if (pixels == 0 || patches.dim(1) % pixels != 0 || out % pixels != 0 || hidden % headDim != 0 || joint < 1) {
            throw new InputException(config.origin() + ": a denoiser of width " + hidden + ", heads of " + headDim
                    + ", " + joint + " joint blocks and patches of " + patch + " with " + patches.dim(1) + " and "
                    + out + " numbers cannot be built");
        }
        if (side * side != table) {
            throw new InputException(config.origin() + ": the table of positions has " + table
                    + " rows, which are no square");
        }
        AuraFlowConfig c = new AuraFlowConfig(hidden, hidden / headDim, headDim, joint, w.count(SINGLE_BLOCKS),
                w.shape(JOINT_BLOCKS + ".0.ff.linear_1.weight", 2).dim(0), patch, patches.dim(1) / pixels,
                out / pixels, w.shape("context_embedder.weight", 2).dim(1),
                w.shape("register_tokens", 3).dim(1), side);
        config.expect("_class_name", AuraFlowNetwork.CLASS);
        config.expect("num_mmdit_layers", c.joint);
        config.expect("num_single_dit_layers", c.single);
        config.expect("num_attention_heads", c.heads);
        config.expect("caption_projection_dim", c.hidden);
        config.expect("in_channels", c.inChannels);
        config.expect("out_channels", c.outChannels);
        config.expect("joint_attention_dim", c.contextDim);
        config.expect("pos_embed_max_size", table);
        config.check();
        return c;
    }
}
