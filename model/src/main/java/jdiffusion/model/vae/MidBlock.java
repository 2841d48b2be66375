package jdiffusion.model.vae;

import java.util.List;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.attention.AttentionShape;
import jdiffusion.kernels.attention.AttentionStream;
import jdiffusion.model.Compute;
import jdiffusion.model.Trace;
import jdiffusion.model.nn.GroupNorm;
import jdiffusion.model.nn.Linear;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weights;
import jdiffusion.tensor.Workspace;

/** The coarsest resolution: residual block, self-attention over all pixels in one head, residual block. */
record MidBlock(ResnetBlock first, GroupNorm norm, Linear q, Linear k, Linear v, Linear out, ResnetBlock second) {
    static MidBlock load(Weights w, VaeConfig c, int channels) {
        Weights attention = w.at("attentions", 0);
        return new MidBlock(ResnetBlock.load(w.at("resnets", 0), c, channels, channels),
                c.norm(attention.at("group_norm"), channels),
                Linear.load(attention.at("to_q"), channels, channels),
                Linear.load(attention.at("to_k"), channels, channels),
                Linear.load(attention.at("to_v"), channels, channels),
                Linear.load(attention.at("to_out.0"), channels, channels),
                ResnetBlock.load(w.at("resnets", 1), c, channels, channels));
    }

    /**
     * Updates x [batch, h, w, channels] in place.
     *
     * @param half of the autoencoder
     */
    void apply(Compute compute, String half, Tensor x) {
        Backend backend = compute.backend();
        Workspace w = compute.workspace();
        first.apply(compute, x, x);
        var s = x.shape();
        try (var _ = w.scope()) {
            int batch = s.dim(0);
            int pixels = s.dim(1) * s.dim(2);
            int channels = s.dim(3);
            Tensor normed = w.wideOperand(s.dims());
            norm.apply(backend, x, Activation.NONE, normed);
            Tensor rows = normed.reshape(batch, pixels, channels);
            Tensor query = w.wideOperand(batch, pixels, channels);
            Tensor key = w.wideOperand(batch, pixels, channels);
            Tensor value = w.wideOperand(batch, pixels, channels);
            backend.linear(List.of(q.call(rows, Epilogue.STORE, query), k.call(rows, Epilogue.STORE, key),
                    v.call(rows, Epilogue.STORE, value)));
            Trace trace = compute.traced() ? new Trace.Part(compute.trace(), half + ".mid",
                    half + ".mid_block.attentions.0") : Trace.NONE;
            trace.see("attn.q", "to_q", query);
            trace.see("attn.k", "to_k", key);
            trace.see("attn.v", "to_v", value);
            backend.attention(AttentionShape.of(batch, 1, channels),
                    List.of(AttentionStream.of(query, key, value, query)), null);
            trace.see("attn.out", "to_out.0 (input)", query);
            out.apply(backend, query, Epilogue.ADD, x.reshape(batch, pixels, channels));
        }
        second.apply(compute, x, x);
    }
}
