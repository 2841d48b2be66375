package jdiffusion.model.sd3;

import jdiffusion.kernels.attention.AttentionShape;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;

/**
 * All activations of one denoiser run, allocated once so that the step loop allocates nothing. The blocks run one
 * after the other through the same buffers.
 *
 * @param patches      [batch, n, c * p * p] the image cut up
 * @param prediction   [batch, n, p * p * c] the velocity before it is put together
 * @param image        [batch, n, d] residual stream of the image
 * @param context      [batch, l, d] residual stream of the text
 * @param normed       [batch, n, d] the image, normalised and modulated
 * @param normedDual   [batch, n, d] the same for the second attention; null without
 * @param normedText   [batch, l, d] the text, normalised and modulated
 * @param dualQkv      of the second attention, in the memory of the feed-forward layers, which come later
 * @param positions    [n, d] the position embedding of one image
 * @param positionIds  [batch * n] rows of it
 */
record MmditBuffers(AttentionShape attention, Tensor patches, Tensor prediction, Tensor image, Tensor context,
                    Tensor embeddedContext, Tensor normed, Tensor normedDual, Tensor normedText, Qkv imageQkv,
                    Qkv contextQkv, Qkv dualQkv, Tensor imageHidden, Tensor contextHidden, Tensor positions,
                    Tensor positionIds) {
    /** q, k, v of one stream, each [batch, tokens, d]; q holds the attention's result afterwards. */
    record Qkv(Tensor q, Tensor k, Tensor v) {
        static Qkv in(Workspace w, int batch, int tokens, int d) {
            return new Qkv(w.operand(batch, tokens, d), w.operand(batch, tokens, d), w.operand(batch, tokens, d));
        }

        /** In memory that is free while they are used. */
        static Qkv over(Tensor memory, int batch, int tokens, int d) {
            Tensor all = Tensor.of(memory.data(), memory.type(), Shape.of(3, batch, tokens, d));
            return new Qkv(all.at(0), all.at(1), all.at(2));
        }
    }

    static MmditBuffers allocate(Workspace w, MmditConfig c, int batch, int tokens, int text) {
        int d = c.hidden();
        int inner = MmditConfig.MLP_RATIO * d;
        boolean dual = !c.dualBlocks().isEmpty();
        Tensor imageHidden = w.operand(batch * tokens, inner);
        return new MmditBuffers(AttentionShape.of(batch, c.heads(), c.headDim()),
                w.operand(batch, tokens, c.inChannels() * c.patch() * c.patch()),
                w.f32(batch, tokens, c.outChannels() * c.patch() * c.patch()),
                w.f32(batch, tokens, d), w.f32(batch, text, d), w.f32(batch, text, d),
                w.operand(batch, tokens, d), dual ? w.operand(batch, tokens, d) : null, w.operand(batch, text, d),
                Qkv.in(w, batch, tokens, d), Qkv.in(w, batch, text, d),
                dual ? Qkv.over(imageHidden, batch, tokens, d) : null, imageHidden, w.operand(batch * text, inner),
                w.f32(tokens, d), w.allocate(DType.I32, batch * tokens));
    }

    /** The same memory, but for what a second network that runs between keeps to itself. */
    MmditBuffers beside(Tensor otherImage, Tensor otherContext, Tensor otherEmbedded) {
        return new MmditBuffers(attention, patches, prediction, otherImage, otherContext, otherEmbedded, normed,
                normedDual, normedText, imageQkv, contextQkv, dualQkv, imageHidden, contextHidden, positions,
                positionIds);
    }
}
