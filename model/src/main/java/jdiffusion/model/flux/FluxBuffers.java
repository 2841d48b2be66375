package jdiffusion.model.flux;

import jdiffusion.kernels.attention.AttentionShape;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;

/**
 * All activations of one run, allocated once so that the step loop allocates nothing. The blocks run one after the
 * other through the same buffers, and single stream blocks through the memory of the double stream blocks.
 *
 * @param patches    [batch, n, 4 c] the image cut up
 * @param prediction [batch, n, 4 c] the velocity before it is put together
 * @param unpacked   the same, of each token's channels the pixel outermost
 * @param embedded   [batch, l, d] the text, embedded once
 * @param rotary     [l + n, headDim] of {@link Rope}
 * @param imgRotary  its rows of the image
 * @param columns    of the image's tokens
 */
record FluxBuffers(AttentionShape attention, Tensor patches, Tensor prediction, Tensor unpacked, Tensor embedded,
                   Half img, Half txt, Single single, Tensor rotary, Tensor imgRotary, int columns) {
    /**
     * One of the two streams.
     *
     * @param stream [batch, tokens, d] the residual stream
     * @param normed [batch, tokens, d] the same, normalised and modulated
     * @param hidden [batch, tokens, 4 d] inside the MLP
     */
    record Half(Tensor stream, Tensor normed, Qkv.Buffers qkv, Tensor hidden) {
    }

    /**
     * Both as one stream.
     *
     * @param stream [batch, l + n, d] the residual stream
     * @param normed [batch, l + n, d] the same, normalised and modulated
     * @param qkv    of which q lies in the first columns of {@code joined}
     * @param hidden [batch, l + n, 4 d] inside the MLP: the other columns
     * @param joined [batch, l + n, 5 d] the attention's result and the MLP's, side by side
     */
    record Single(Tensor stream, Tensor normed, Qkv.Buffers qkv, Tensor hidden, Tensor joined) {
    }

    /** Hands out parts of one tensor. */
    private static final class Parts {
        private final Tensor memory;
        private long used;

        Parts(Tensor memory) {
            this.memory = memory;
        }

        Tensor next(int... dims) {
            Shape shape = Shape.of(dims);
            Tensor part = Tensor.of(memory.data().asSlice(used * memory.type().bytes()), memory.type(), shape);
            used += shape.size();
            return part;
        }
    }

    /** Tokens of text. */
    int text() {
        return embedded.shape().dim(1);
    }

    /** @param text tokens of text */
    static FluxBuffers allocate(Workspace w, FluxConfig c, int batch, int rows, int columns, int text) {
        int tokens = rows * columns;
        int d = c.hidden();
        int all = text + tokens;
        int inner = FluxConfig.MLP_RATIO * d;
        // Of each token: normed, q, k, v, and the MLP's hidden state.
        Tensor memory = w.operand(Math.multiplyExact(batch, all), 4 * d + inner);
        Parts halves = new Parts(memory);
        Tensor rotary = w.f32(all, c.headDim());
        return new FluxBuffers(AttentionShape.of(batch, c.heads(), c.headDim()),
                w.operand(batch, tokens, c.packed()), w.f32(batch, tokens, c.packed()),
                w.f32(batch, tokens, c.packed()), w.f32(batch, text, d),
                half(w, halves, batch, tokens, d, inner), half(w, halves, batch, text, d, inner),
                single(w, new Parts(memory), batch, all, d, inner), rotary, rotary.slice(text, all), columns);
    }

    private static Half half(Workspace w, Parts parts, int batch, int tokens, int d, int inner) {
        return new Half(w.f32(batch, tokens, d), parts.next(batch, tokens, d),
                new Qkv.Buffers(parts.next(batch, tokens, d), parts.next(batch, tokens, d),
                        parts.next(batch, tokens, d)), parts.next(batch, tokens, inner));
    }

    private static Single single(Workspace w, Parts parts, int batch, int tokens, int d, int inner) {
        Tensor joined = parts.next(batch, tokens, d + inner);
        return new Single(w.f32(batch, tokens, d), parts.next(batch, tokens, d),
                new Qkv.Buffers(joined.columns(0, d), parts.next(batch, tokens, d), parts.next(batch, tokens, d)),
                joined.columns(d, d + inner), joined);
    }
}
