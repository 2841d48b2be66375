package jdiffusion.model.sd3;

import java.util.ArrayList;
import java.util.List;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.family.ControlTraits;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Weights;

/**
 * Sizes of a ControlNet, derived from its tensors. There are two kinds: blocks of image and text with an embedding of
 * the latents of their own, as diffusers and InstantX train them, and the image's blocks alone, which begin with the
 * denoiser's own embedding, as Stability published them for SD3.5 Large.
 *
 * @param blocks     sizes of its blocks; those of the text are 0 where there is none
 * @param joint      whether the blocks see the text
 * @param zeroPooled whether it was trained with zeros for the pooled text, and with image latents without the VAE's
 *                   shift
 */
public record ControlNetConfig(MmditConfig blocks, boolean joint, boolean zeroPooled) implements ControlTraits {
    private static final int MODULATIONS = 6;
    private static final int STEPS = 60;
    private static final float GUIDANCE = 3.5f;

    static ControlNetConfig of(Weights w, ConfigFile config, MmditConfig denoiser) {
        Shape condition = w.shape("pos_embed_input.proj.weight"); // [d, c, p, p]
        boolean joint = w.has("context_embedder.weight");
        int depth = w.count("transformer_blocks");
        List<Integer> dual = new ArrayList<>();
        for (int i = 0; i < depth; i++) {
            if (w.at("transformer_blocks", i).has("attn2.to_q.weight")) {
                dual.add(i);
            }
        }
        int hidden = denoiser.hidden();
        int patch = denoiser.patch();
        boolean fits = condition.equals(Shape.of(hidden, denoiser.inChannels(), patch, patch))
                && depth > 0 && depth <= denoiser.depth()
                && w.shape("transformer_blocks.0.norm1.linear.weight").dim(0) % (MODULATIONS / 2 * hidden) == 0;
        if (!fits) {
            throw new InputException(config.origin() + ": this ControlNet has " + depth + " blocks, its"
                    + " pos_embed_input.proj.weight is " + condition + "; the denoiser has " + denoiser.depth()
                    + " blocks and needs " + Shape.of(hidden, denoiser.inChannels(), patch, patch)
                    + (condition.rank() == 4 && condition.dim(0) == hidden
                    ? " (ControlNets with further channels, for inpainting, are not supported)"
                    : "; is it for another model?"));
        }
        if (!dual.isEmpty() && denoiser.dualBlocks().isEmpty()) {
            throw new InputException(config.origin() + ": this ControlNet has second attentions, the denoiser has none;"
                    + " is it for another model?");
        }
        int positions = joint ? (int) Math.sqrt(w.shape("pos_embed.pos_embed").dim(-2)) : denoiser.positions();
        int pooled = w.shape("time_text_embed.text_embedder.linear_1.weight").dim(-1);
        MmditConfig blocks = new MmditConfig(hidden, denoiser.heads(), denoiser.headDim(), depth, dual,
                w.has("transformer_blocks.0.attn.norm_q.weight"), patch, denoiser.inChannels(), denoiser.inChannels(),
                denoiser.contextDim(), pooled, positions);
        if (pooled != denoiser.pooledDim()) {
            throw new InputException(config.origin() + ": this ControlNet reads a pooled text embedding of " + pooled
                    + ", the denoiser one of " + denoiser.pooledDim() + "; is it for another model?");
        }
        return new ControlNetConfig(blocks, joint, config.flag("force_zeros_for_pooled_projection", joint));
    }

    /** The steps that Stability's code takes with its ControlNets; with others as many as without. */
    @Override
    public int steps(int without) {
        return joint ? without : STEPS;
    }

    /** The guidance scale, likewise. */
    @Override
    public float guidance(float without) {
        return joint ? without : GUIDANCE;
    }

    /** Those of Stability's own ControlNets. */
    @Override
    public boolean scalesEdges() {
        return !joint;
    }

    @Override
    public boolean withoutShift() {
        return zeroPooled;
    }

    /**
     * Which of the residuals, if any, is added after a block of a denoiser: where the text's stream ends too, in the
     * last block, diffusers adds none for its kind.
     *
     * @return -1 for none
     */
    int residual(int block, int depth) {
        int count = blocks.depth();
        if (joint) {
            return block == depth - 1 ? -1 : (int) (block / ((double) depth / count));
        }
        return Math.min(block / (depth / count), count - 1);
    }
}
