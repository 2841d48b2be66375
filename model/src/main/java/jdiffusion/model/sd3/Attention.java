package jdiffusion.model.sd3;

import java.util.List;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.attention.AttentionStream;
import jdiffusion.kernels.linear.LinearCall;
import jdiffusion.model.nn.Linear;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weights;

/**
 * One stream's projections into and out of an attention, with the RMS norm weights of q and k (null without).
 *
 * @param q     [d, d]; null where the stream asks nothing
 * @param qNorm [headDim]
 * @param out   [d, d]; null together with q
 */
record Attention(Linear q, Linear k, Linear v, Tensor qNorm, Tensor kNorm, Linear out) {
    /** The image's side of a joint attention, or a self-attention of its own. */
    static Attention ofImage(Weights w, MmditConfig c) {
        int d = c.hidden();
        return new Attention(Linear.load(w.at("to_q"), d, d), Linear.load(w.at("to_k"), d, d),
                Linear.load(w.at("to_v"), d, d), norm(w, c, "norm_q"), norm(w, c, "norm_k"),
                Linear.load(w.at("to_out.0"), d, d));
    }

    /** The text's side. The last block's q projection exists in checkpoints, but nothing is made of it. */
    static Attention ofContext(Weights w, MmditConfig c, boolean last) {
        int d = c.hidden();
        Linear k = Linear.load(w.at("add_k_proj"), d, d);
        Linear v = Linear.load(w.at("add_v_proj"), d, d);
        Tensor kNorm = norm(w, c, "norm_added_k");
        if (last) {
            w.skip("add_q_proj.weight", d, d);
            w.skip("add_q_proj.bias", d);
            w.skip("norm_added_q.weight", c.headDim());
            return new Attention(null, k, v, null, kNorm, null);
        }
        return new Attention(Linear.load(w.at("add_q_proj"), d, d), k, v, norm(w, c, "norm_added_q"), kNorm,
                Linear.load(w.at("to_add_out"), d, d));
    }

    private static Tensor norm(Weights w, MmditConfig c, String name) {
        return c.qkNorm() ? w.at(name).tensor("weight", c.headDim()) : null;
    }

    /** Adds the projections of x [batch, n, d] into the buffers to what is to be run. */
    void project(Tensor x, MmditBuffers.Qkv qkv, List<LinearCall> calls) {
        if (q != null) {
            calls.add(q.call(x, Epilogue.STORE, qkv.q()));
        }
        calls.add(k.call(x, Epilogue.STORE, qkv.k()));
        calls.add(v.call(x, Epilogue.STORE, qkv.v()));
    }

    /** The projections as a stream; the attention's result will lie in {@code qkv.q}. */
    AttentionStream stream(MmditBuffers.Qkv qkv) {
        Tensor query = q == null ? null : qkv.q();
        return AttentionStream.of(query, qkv.k(), qkv.v(), query).withNorms(qNorm, kNorm);
    }
}
