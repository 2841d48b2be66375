package jdiffusion.model.flux;

import java.util.List;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.attention.AttentionStream;
import jdiffusion.kernels.linear.LinearCall;
import jdiffusion.model.nn.Linear;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weights;

/**
 * The projections of one stream to queries, keys and values, with the weights of the RMS norms of its heads.
 *
 * @param qNorm [headDim]
 * @param kNorm [headDim]
 */
record Qkv(Linear q, Linear k, Linear v, Tensor qNorm, Tensor kNorm) {
    /** @param names of the projections to q, k, v and of the norms of q and k */
    static Qkv load(Weights w, FluxConfig c, String... names) {
        int d = c.hidden();
        return new Qkv(Linear.load(w.at(names[0]), d, d), Linear.load(w.at(names[1]), d, d),
                Linear.load(w.at(names[2]), d, d), w.at(names[3]).tensor("weight", c.headDim()),
                w.at(names[4]).tensor("weight", c.headDim()));
    }

    /** What becomes of a stream: [batch, tokens, d] each; the attention's result takes the place of q. */
    record Buffers(Tensor q, Tensor k, Tensor v) {
    }

    /** The products of x [batch, tokens, d], to be run together with others. */
    List<LinearCall> calls(Tensor x, Buffers to) {
        return List.of(q.call(x, Epilogue.STORE, to.q), k.call(x, Epilogue.STORE, to.k),
                v.call(x, Epilogue.STORE, to.v));
    }

    /** @param rotary [tokens, headDim] of {@link Rope}; null where nothing turns */
    AttentionStream stream(Buffers from, Tensor rotary) {
        return AttentionStream.of(from.q, from.k, from.v, from.q).withNorms(qNorm, kNorm).withRotary(rotary);
    }
}
