package jdiffusion.model.sd3;

import java.util.ArrayList;
import java.util.List;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.family.DenoiserConfig;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Weights;

/**
 * Sizes of an MMDiT or MMDiT-X, derived from its tensors (Esser et al., "Scaling Rectified Flow Transformers for
 * High-Resolution Image Synthesis", 2024, and the SD3.5 Medium release).
 *
 * @param hidden      width d of the residual stream
 * @param heads       attention heads
 * @param headDim     channels of a head; heads * headDim = hidden
 * @param depth       joint blocks; in the last one the text stream only gives keys and values
 * @param dualBlocks  blocks with a second self-attention over the image (MMDiT-X)
 * @param qkNorm      whether q and k are RMS-normalised per head (SD3.5)
 * @param patch       side of a patch in latent pixels
 * @param inChannels  latent channels read
 * @param outChannels latent channels predicted
 * @param contextDim  width of the text embeddings
 * @param pooledDim   width of the pooled text embedding
 * @param positions   side of the square table of positions, in patches: the limit on the image's size
 */
public record MmditConfig(int hidden, int heads, int headDim, int depth, List<Integer> dualBlocks, boolean qkNorm,
                          int patch, int inChannels, int outChannels, int contextDim, int pooledDim, int positions)
        implements DenoiserConfig {
    /** Channels of the sinusoidal timestep embedding. */
    public static final int TIMESTEP_CHANNELS = 256;
    /** Inner width of the feed-forward layers, in multiples of hidden. */
    public static final int MLP_RATIO = 4;
    /** Epsilon of every norm in the model. */
    public static final float EPS = 1e-6f;
    /** Far beyond the 2 of all published models; its square has to stay a number of channels. */
    private static final int LARGEST_PATCH = 64;

    /** Of the layers that Stability names for guidance. */
    private static final int LAST_GUIDED = 9;

    public MmditConfig {
        dualBlocks = List.copyOf(dualBlocks);
    }

    @Override
    public int layers() {
        return depth;
    }

    @Override
    public int attentions() {
        return depth;
    }

    /** Those that skip-layer guidance leaves out of SD3.5 Medium, or the middle one of a network without them. */
    @Override
    public List<Integer> usualAttentions() {
        return depth > LAST_GUIDED ? List.of(LAST_GUIDED - 2, LAST_GUIDED - 1, LAST_GUIDED) : List.of(depth / 2);
    }

    @Override
    public boolean reusesBlocks() {
        return true;
    }

    @Override
    public String describe() {
        return depth + " blocks of width " + hidden + ", " + heads + " heads of " + headDim
                + (dualBlocks.isEmpty() ? "" : ", second attention in blocks " + dualBlocks)
                + (qkNorm ? ", QK norm" : "");
    }

    /** Reads the sizes off the tensors and checks them against config.json. */
    public static MmditConfig of(Weights weights, ConfigFile config) {
        Shape patches = weights.shape("pos_embed.proj.weight", 4); // [d, c, p, p]
        int hidden = patches.dim(0);
        int depth = weights.count("transformer_blocks");
        List<Integer> dual = new ArrayList<>();
        for (int i = 0; i < depth; i++) {
            if (weights.at("transformer_blocks", i).has("attn2.to_q.weight")) {
                dual.add(i);
            }
        }
        boolean qkNorm = weights.has("transformer_blocks.0.attn.norm_q.weight");
        int headDim = qkNorm ? weights.shape("transformer_blocks.0.attn.norm_q.weight", 1).dim(0)
                : config.integer("attention_head_dim", 64);
        int patch = patches.dim(2);
        int positions = (int) Math.sqrt(weights.shape("pos_embed.pos_embed", 3).dim(1));
        Shape out = weights.shape("proj_out.weight", 2);
        if (hidden < 1 || headDim < 1 || hidden % headDim != 0 || patch < 1 || patch > LARGEST_PATCH
                || depth < 1) {
            throw new InputException(config.origin() + ": a denoiser of width " + hidden + ", heads of " + headDim
                    + ", patches of " + patch + " and " + depth + " blocks cannot be built");
        }
        MmditConfig c = new MmditConfig(hidden, hidden / headDim, headDim, depth, dual, qkNorm, patch,
                patches.dim(1), out.dim(0) / (patch * patch),
                weights.shape("context_embedder.weight", 2).dim(1),
                weights.shape("time_text_embed.text_embedder.linear_1.weight", 2).dim(1), positions);
        config.expect("_class_name", MmditNetwork.CLASS);
        config.expect("num_layers", c.depth);
        config.expect("num_attention_heads", c.heads);
        config.expect("attention_head_dim", c.headDim);
        config.expect("caption_projection_dim", c.hidden);
        config.expect("in_channels", c.inChannels);
        config.expect("out_channels", c.outChannels);
        config.expect("patch_size", c.patch);
        config.expect("joint_attention_dim", c.contextDim);
        config.expect("pooled_projection_dim", c.pooledDim);
        config.expect("pos_embed_max_size", c.positions);
        config.expect("dual_attention_layers", c.dualBlocks);
        config.expect("qk_norm", c.qkNorm ? "rms_norm" : null);
        config.check();
        return c;
    }
}
