package jdiffusion.kernels.attention;

import jdiffusion.kernels.Backend;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;

/**
 * One of the sequences that attend jointly: the image or the text of MMDiT, or the only one. Self-attention is a single
 * stream with all of q, k and v. Cross-attention is two: {@link #asking} for the image, {@link #asked} for the text.
 *
 * <p>Rotary position embedding (Su et al., "RoFormer", 2021) turns neighbouring channels as pairs, after the norm:
 * x'[2i] = x[2i] cos - x[2i + 1] sin, x'[2i + 1] = x[2i + 1] cos + x[2i] sin.
 *
 * @param q         [batch, n, heads * headDim], or null when this stream asks nothing (the text of MMDiT's last block)
 * @param k         [batch, n, heads * headDim], or null when nobody asks this stream (the image in cross-attention)
 * @param v         [batch, n, heads * headDim], or null together with k
 * @param out       [batch, n, heads * headDim], or null together with q; may be q itself
 * @param qNorm     [headDim] weight of the RMS norm on each head of q; null for none
 * @param kNorm     [headDim] weight of the RMS norm on each head of k; null for none
 * @param rotary    float32 [n, headDim], for each token and pair of channels cos, sin, by which q and k are turned,
 *                  the same for all heads and sequences; null for none
 * @param keyCounts I32 [batch], 0 to n each: how many of a sequence's keys exist, the first ones; null for all
 */
public record AttentionStream(Tensor q, Tensor k, Tensor v, Tensor out, Tensor qNorm, Tensor kNorm, Tensor rotary,
                              Tensor keyCounts) {
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

    /** Without norms and positions; all keys exist. */
    public static AttentionStream of(Tensor q, Tensor k, Tensor v, Tensor out) {
        return new AttentionStream(q, k, v, out, null, null, null, null);
    }

    /** @param newQNorm null for none, as {@code newKNorm} */
    public AttentionStream withNorms(Tensor newQNorm, Tensor newKNorm) {
        return new AttentionStream(q, k, v, out, newQNorm, newKNorm, rotary, keyCounts);
    }

    /** @param newRotary null for none */
    public AttentionStream withRotary(Tensor newRotary) {
        return new AttentionStream(q, k, v, out, qNorm, kNorm, newRotary, keyCounts);
    }

    /** @param newKeyCounts null when all keys exist */
    public AttentionStream withKeyCounts(Tensor newKeyCounts) {
        return new AttentionStream(q, k, v, out, qNorm, kNorm, rotary, newKeyCounts);
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
