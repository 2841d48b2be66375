package jdiffusion.kernels.attention;

import jdiffusion.tensor.Tensor;

/**
 * One of the sequences that attend jointly: the image or the text of MMDiT, or the only one.
 *
 * @param q     [batch, n, heads * headDim], or null when this stream asks nothing (the text of MMDiT's last block)
 * @param k     [batch, n, heads * headDim]
 * @param v     [batch, n, heads * headDim]
 * @param qNorm [headDim] weight of the RMS norm on each head of q; null for none
 * @param kNorm [headDim] weight of the RMS norm on each head of k; null for none
 * @param out   [batch, n, heads * headDim], or null together with q; may be q itself
 */
public record AttentionStream(Tensor q, Tensor k, Tensor v, Tensor qNorm, Tensor kNorm, Tensor out) {
    public AttentionStream {
        if ((q == null) != (out == null)) {
            throw new IllegalArgumentException("q and out come together");
        }
    }

    public static AttentionStream of(Tensor q, Tensor k, Tensor v, Tensor out) {
        return new AttentionStream(q, k, v, null, null, out);
    }

    /** Tokens in this stream. */
    public int length() {
        return k.shape().dim(1);
    }
}
