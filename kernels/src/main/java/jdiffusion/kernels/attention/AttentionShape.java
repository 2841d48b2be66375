package jdiffusion.kernels.attention;

import java.util.List;

/**
 * softmax(scale * q k^T + bias) v, over the streams' tokens in their order; zeros for a query all of whose scores are
 * -infinity.
 *
 * @param batch   sequences
 * @param heads   heads
 * @param headDim channels of a head
 * @param scale   factor on q k^T: 1/sqrt(headDim), or 1 for T5
 * @param causal  whether a token sees only itself and earlier ones (single stream only)
 * @param norm    what normalises each head of q and k
 * @param normEps epsilon of that norm
 */
public record AttentionShape(int batch, int heads, int headDim, float scale, boolean causal, Norm norm,
                             float normEps) {
    /** A norm over the channels of a head. */
    public enum Norm {
        /** An RMS norm with weights, of those q and k for which a stream has weights. */
        RMS,
        /** A LayerNorm without weights, of every q and k. */
        LAYER
    }

    public AttentionShape {
        if (batch < 1 || heads < 1 || headDim < 1 || !(scale > 0)) {
            throw new IllegalArgumentException("attention of " + batch + "x" + heads + "x" + headDim + ", scale "
                    + scale);
        }
    }

    /** The usual scale 1/sqrt(headDim), RMS norms of epsilon 1e-6 where there are weights. */
    public static AttentionShape of(int batch, int heads, int headDim) {
        return new AttentionShape(batch, heads, headDim, (float) (1 / Math.sqrt(headDim)), false, Norm.RMS,
                1e-6f);
    }

    public AttentionShape withCausal() {
        return new AttentionShape(batch, heads, headDim, scale, true, norm, normEps);
    }

    public AttentionShape withScale(float newScale) {
        return new AttentionShape(batch, heads, headDim, newScale, causal, norm, normEps);
    }

    /** Each head of every q and k gets a LayerNorm without weights, so streams have no weights of norms. */
    public AttentionShape withLayerNorm(float eps) {
        return new AttentionShape(batch, heads, headDim, scale, causal, Norm.LAYER, eps);
    }

    /** Multiplications and additions of the two matrix products, for {@code queries} over {@code keys}. */
    public long flops(long queries, long keys) {
        return 4L * batch * heads * headDim * queries * keys;
    }

    /**
     * The same for streams that attend to each other; of causal attention, query i meets keys 0 to i. Allocates
     * nothing.
     */
    public long flops(List<AttentionStream> streams) {
        long keys = 0;
        long queries = 0;
        for (int i = 0; i < streams.size(); i++) {
            keys += streams.get(i).keys();
            queries += streams.get(i).queries();
        }
        return causal ? flops(1, keys * (keys + 1) / 2) : flops(queries, keys);
    }
}
