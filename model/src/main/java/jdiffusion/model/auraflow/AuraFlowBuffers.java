package jdiffusion.model.auraflow;

import java.util.List;
import jdiffusion.kernels.attention.AttentionShape;
import jdiffusion.kernels.attention.AttentionStream;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;

/**
 * All activations of one run, allocated once so that the step loop allocates nothing. The joint blocks' streams of text
 * and image and the single blocks' stream of both are in the same memory; what the joint ones leave is joined from the
 * one of the two residual buffers into the other.
 *
 * @param patches     [batch, n, c * p * p] the image cut up
 * @param prediction  [batch, n, p * p * c] the velocity before it is put together
 * @param embedded    [batch, l, d] registers and text as they enter the first block
 * @param text        l tokens for each entry of the batch
 * @param image       n tokens
 * @param all         l + n tokens, text first
 * @param positions   [n, d] of one image
 * @param positionIds [batch * n] rows of it
 * @param columns     of the image's tokens
 */
record AuraFlowBuffers(AttentionShape attention, Tensor patches, Tensor prediction, Tensor embedded, Stream text,
                       Stream image, Stream all, Tensor positions, Tensor positionIds, int columns) {
    /**
     * One residual stream and what a block makes of it.
     *
     * @param x        [batch, tokens, d] the stream, float32
     * @param attended [batch, tokens, d] the stream with the attention's output, float32
     * @param normed   [batch, tokens, d]
     * @param q        [batch, tokens, d]; the attention's result afterwards
     * @param k        [batch, tokens, d], as v
     * @param hidden   [batch, tokens, inner]
     */
    record Stream(Tensor x, Tensor attended, Tensor normed, Tensor q, Tensor k, Tensor v, Tensor hidden) {
        AttentionStream attention() {
            return AttentionStream.of(q, k, v, q);
        }

        /** A part of the rows [rows, ...] of all of these, as [batch, tokens, ...]. */
        private Stream part(int batch, int from, int to) {
            return new Stream(part(x, batch, from, to), part(attended, batch, from, to), part(normed, batch, from, to),
                    part(q, batch, from, to), part(k, batch, from, to), part(v, batch, from, to),
                    part(hidden, batch, from, to));
        }

        private static Tensor part(Tensor rows, int batch, int from, int to) {
            return rows.slice(from, to).reshape(batch, (to - from) / batch, rows.cols());
        }

        /** With the two residual buffers exchanged. */
        private Stream exchanged() {
            return new Stream(attended, x, normed, q, k, v, hidden);
        }
    }

    /** @param text tokens, with the registers */
    static AuraFlowBuffers allocate(Workspace w, AuraFlowConfig c, int batch, int rowCount, int columns, int text) {
        int tokens = rowCount * columns;
        int d = c.hidden();
        int pixels = c.patch() * c.patch();
        int textRows = batch * text;
        int rows = textRows + batch * tokens;
        Stream memory = new Stream(w.f32(rows, d), w.f32(rows, d), w.operand(rows, d), w.operand(rows, d),
                w.operand(rows, d), w.operand(rows, d), w.operand(rows, c.inner()));
        return new AuraFlowBuffers(
                AttentionShape.of(batch, c.heads(), c.headDim()).withLayerNorm(AuraFlowConfig.EPS),
                w.operand(batch, tokens, c.inChannels() * pixels), w.f32(batch, tokens, c.outChannels() * pixels),
                w.f32(batch, text, d), memory.part(batch, 0, textRows), memory.part(batch, textRows, rows),
                memory.exchanged().part(batch, 0, rows), w.f32(tokens, d), w.allocate(DType.I32, batch * tokens),
                columns);
    }

    /** The streams of a joint block. */
    List<Stream> apart() {
        return List.of(text, image);
    }
}
