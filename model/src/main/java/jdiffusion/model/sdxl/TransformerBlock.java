package jdiffusion.model.sdxl;

import java.util.List;
import java.util.function.Consumer;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.attention.AttentionShape;
import jdiffusion.kernels.attention.AttentionStream;
import jdiffusion.model.AttentionSite;
import jdiffusion.model.Trace;
import jdiffusion.model.nn.LayerNorm;
import jdiffusion.model.nn.Linear;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weights;
import jdiffusion.tensor.Workspace;

/**
 * One block of a UNet's transformers: attention among the pixels, attention to the text, and a feed-forward layer with
 * GEGLU (Shazeer, "GLU Variants Improve Transformer", 2020), each on a norm and added to the stream.
 *
 * @param up what is gated and below it the gates, [8 width, width]
 */
record TransformerBlock(LayerNorm norm1, Attention self, LayerNorm norm2, Attention cross, LayerNorm norm3,
                        Linear up, Linear down) {
    /** Projections of an attention; what gives q, k and v has no bias. */
    record Attention(Linear q, Linear k, Linear v, Linear out) {
        static Attention load(Weights w, int width, int context) {
            return new Attention(Linear.withoutBias(w.at("to_q"), width, width),
                    Linear.withoutBias(w.at("to_k"), width, context), Linear.withoutBias(w.at("to_v"), width, context),
                    Linear.load(w.at("to_out.0"), width, width));
        }
    }

    /** What a block works in, each [batch, pixels, width] but for hidden, [batch, pixels, 4 width]. */
    record Buffers(Tensor normed, Tensor q, Tensor k, Tensor v, Tensor hidden) {
        static Buffers in(Workspace w, int batch, int pixels, int width) {
            return new Buffers(w.operand(batch, pixels, width), w.operand(batch, pixels, width),
                    w.operand(batch, pixels, width), w.operand(batch, pixels, width),
                    w.operand(batch, pixels, UnetConfig.FF_RATIO * width));
        }
    }

    /** Keys and values that a block makes of the text, [batch, tokens, width]: the same in each step. */
    record Text(Tensor k, Tensor v) {
        static Text in(Workspace w, int batch, int tokens, int width) {
            return new Text(w.operand(batch, tokens, width), w.operand(batch, tokens, width));
        }
    }

    static TransformerBlock load(Weights w, int width, int context) {
        int inner = UnetConfig.FF_RATIO * width;
        return new TransformerBlock(norm(w.at("norm1"), width), Attention.load(w.at("attn1"), width, width),
                norm(w.at("norm2"), width), Attention.load(w.at("attn2"), width, context),
                norm(w.at("norm3"), width),
                Linear.load(w.at("ff.net.0.proj"), 2 * inner, width), Linear.load(w.at("ff.net.2"), width, inner));
    }

    private static LayerNorm norm(Weights w, int width) {
        return LayerNorm.load(w, width, UnetConfig.BLOCK_EPS);
    }

    /** @param context [batch, tokens, contextDim] */
    void readText(Backend backend, Trace trace, Tensor context, Text text, int heads) {
        backend.linear(List.of(cross.k().call(context, Epilogue.STORE, text.k()),
                cross.v().call(context, Epilogue.STORE, text.v())));
        trace.see("context.cross.k", "attn2.to_k", text.k(), heads);
        trace.see("context.cross.v", "attn2.to_v", text.v(), heads);
    }

    /** Updates x [batch, pixels, width] in place, where attention is as it was trained. */
    void apply(Backend backend, Trace trace, AttentionShape shape, Text text, Buffers b, Tensor x) {
        apply(backend, trace, shape, text, b, x, stream -> trace.attention(backend, AttentionSite.SELF,
                shape, List.of(stream)));
    }

    /**
     * The same.
     *
     * @param attend runs the attention among the pixels
     */
    void apply(Backend backend, Trace trace, AttentionShape shape, Text text, Buffers b, Tensor x,
               Consumer<AttentionStream> attend) {
        norm1.apply(backend, x, b.normed());
        backend.linear(List.of(self.q().call(b.normed(), Epilogue.STORE, b.q()),
                self.k().call(b.normed(), Epilogue.STORE, b.k()), self.v().call(b.normed(), Epilogue.STORE, b.v())));
        trace.see("image.attn.q", "attn1.to_q", b.q(), shape.heads());
        trace.see("image.attn.k", "attn1.to_k", b.k(), shape.heads());
        trace.see("image.attn.v", "attn1.to_v", b.v(), shape.heads());
        attend.accept(AttentionStream.of(b.q(), b.k(), b.v(), b.q()));
        trace.see("image.attn.out", "attn1.to_out.0 (input)", b.q(), shape.heads());
        self.out().apply(backend, b.q(), Epilogue.ADD, x);

        norm2.apply(backend, x, b.normed());
        cross.q().apply(backend, b.normed(), b.q());
        trace.see("image.cross.q", "attn2.to_q", b.q(), shape.heads());
        trace.attention(backend, AttentionSite.CROSS, shape, List.of(AttentionStream.asking(b.q(), b.q()),
                AttentionStream.asked(text.k(), text.v())));
        trace.see("image.cross.out", "attn2.to_out.0 (input)", b.q(), shape.heads());
        cross.out().apply(backend, b.q(), Epilogue.ADD, x);

        norm3.apply(backend, x, b.normed());
        backend.gatedLinear(b.normed(), up.weight(), up.bias(), Activation.GELU_ERF, b.hidden());
        trace.see("image.mlp.hidden", "ff.net.2 (input)", b.hidden());
        down.apply(backend, b.hidden(), Epilogue.ADD, x);
    }
}
