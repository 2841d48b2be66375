package jdiffusion.kernels.attention;

import jdiffusion.kernels.Backend;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;

/**
 * One of the sequences that attend jointly: the image or the text of MMDiT, or the only one. Self-attention is a single
 * stream with all of q, k and v. Cross-attention is two: {@link #asking} for the image, {@link #asked} for the text.
 *
 * @param q     [batch, n, heads * headDim], or null when this stream asks nothing (the text of MMDiT's last block)
 * @param k     [batch, n, heads * headDim], or null when nobody asks this stream (the image in cross-attention)
 * @param v     [batch, n, heads * headDim], or null together with k
 * @param qNorm [headDim] weight of the RMS norm on each head of q; null for none
 * @param kNorm [headDim] weight of the RMS norm on each head of k; null for none
 * @param out   [batch, n, heads * headDim], or null together with q; may be q itself
 */
public record AttentionStream(Tensor q, Tensor k, Tensor v, Tensor qNorm, Tensor kNorm, Tensor out) {
    public AttentionStream {
        if ((q == null) != (out == null)) {
            throw new IllegalArgumentException("q and out come together");
        }
        if ((k == null) != (v == null)) {
            throw new IllegalArgumentException("k and v come together");
        }
        if (q == null && k == null) {
            throw new IllegalArgumentException("a stream has q, or k and v, or all of them");
        }
    }

    /** Without norms. */
    public static AttentionStream of(Tensor q, Tensor k, Tensor v, Tensor out) {
        return new AttentionStream(q, k, v, null, null, out);
    }

    /** Queries without keys. */
    public static AttentionStream asking(Tensor q, Tensor out) {
        return of(q, null, null, out);
    }

    /** Keys and values without queries. */
    public static AttentionStream asked(Tensor k, Tensor v) {
        return of(null, k, v, null);
    }

    /** Tokens that ask. */
    public int queries() {
        return q == null ? 0 : q.shape().dim(1);
    }

    /** Tokens that are asked. */
    public int keys() {
        return k == null ? 0 : k.shape().dim(1);
    }

    /** The one of all its tensors: see {@link Backend#attention}. */
    DType type() {
        return k == null ? q.type() : k.type();
    }
}
