package jdiffusion.kernels.attention;

/**
 * softmax(scale * q k^T + bias) v, over the streams' tokens in their order; zeros for a query all of whose scores are
 * -infinity.
 *
 * @param batch   sequences
 * @param heads   heads
 * @param headDim channels of a head
 * @param scale   factor on q k^T: 1/sqrt(headDim), or 1 for T5
 * @param causal  whether a token sees only itself and earlier ones (single stream only)
 * @param normEps epsilon of the q and k RMS norms
 */
public record AttentionShape(int batch, int heads, int headDim, float scale, boolean causal, float normEps) {
    public AttentionShape {
        if (batch < 1 || heads < 1 || headDim < 1 || !(scale > 0)) {
            throw new IllegalArgumentException("attention of " + batch + "x" + heads + "x" + headDim + ", scale "
                    + scale);
        }
    }

    /** The usual scale 1/sqrt(headDim), epsilon 1e-6. */
    public static AttentionShape of(int batch, int heads, int headDim) {
        return new AttentionShape(batch, heads, headDim, (float) (1 / Math.sqrt(headDim)), false, 1e-6f);
    }

    public AttentionShape withCausal() {
        return new AttentionShape(batch, heads, headDim, scale, true, normEps);
    }

    public AttentionShape withScale(float newScale) {
        return new AttentionShape(batch, heads, headDim, newScale, causal, normEps);
    }

    /** Multiplications and additions of the two matrix products, for {@code queries} over {@code keys}. */
    public long flops(long queries, long keys) {
        return 4L * batch * heads * headDim * queries * keys;
    }
}
