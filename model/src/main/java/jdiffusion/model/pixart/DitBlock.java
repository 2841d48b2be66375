package jdiffusion.model.pixart;

import java.util.List;
import java.util.function.Consumer;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.attention.AttentionShape;
import jdiffusion.kernels.attention.AttentionStream;
import jdiffusion.model.AttentionSite;
import jdiffusion.model.Trace;
import jdiffusion.model.nn.Linear;
import jdiffusion.model.nn.Mlp;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weights;
import jdiffusion.tensor.Workspace;

/**
 * One block: attention among the patches, attention to the text, and a feed-forward layer. The first and the last are
 * modulated and gated; the text is asked with the stream as it is, without a norm, and its answer is added as it is.
 *
 * @param table [6, d] added to the modulation of all blocks
 */
record DitBlock(Tensor table, Attention self, Attention cross, Mlp mlp) {
    /** Parts of the modulation. */
    static final int PARTS = 6;
    private static final int SHIFT = 0;
    private static final int SCALE = 1;
    private static final int GATE = 2;
    private static final int MLP_SHIFT = 3;
    private static final int MLP_SCALE = 4;
    private static final int MLP_GATE = 5;

    /** Projections of an attention, [d, d] each. */
    record Attention(Linear q, Linear k, Linear v, Linear out) {
        static Attention load(Weights w, int d) {
            return new Attention(Linear.load(w.at("to_q"), d, d), Linear.load(w.at("to_k"), d, d),
                    Linear.load(w.at("to_v"), d, d), Linear.load(w.at("to_out.0"), d, d));
        }
    }

    /** What a block works in, each [batch, n, d] but for hidden, [batch, n, 4 d]. */
    record Buffers(Tensor normed, Tensor q, Tensor k, Tensor v, Tensor hidden) {
        static Buffers in(Workspace w, int batch, int tokens, int d) {
            return new Buffers(w.operand(batch, tokens, d), w.operand(batch, tokens, d), w.operand(batch, tokens, d),
                    w.operand(batch, tokens, d), w.operand(batch, tokens, DitConfig.MLP_RATIO * d));
        }
    }

    /**
     * Keys and values that a block makes of the text, the same in each step.
     *
     * @param k      [batch, l, d]
     * @param v      [batch, l, d]
     * @param counts I32 [batch]: how many of them are of text, and not of padding
     */
    record Text(Tensor k, Tensor v, Tensor counts) {
        static Text in(Workspace w, int batch, int tokens, int d, Tensor counts) {
            return new Text(w.operand(batch, tokens, d), w.operand(batch, tokens, d), counts);
        }

        AttentionStream asked() {
            return AttentionStream.asked(k, v).withKeyCounts(counts);
        }
    }

    static DitBlock load(Weights w, DitConfig c) {
        int d = c.hidden();
        return new DitBlock(w.tensor("scale_shift_table", PARTS, d), Attention.load(w.at("attn1"), d),
                Attention.load(w.at("attn2"), d),
                mlp(w.at("ff"), "net.0.proj", "net.2", d, DitConfig.MLP_RATIO * d, d));
    }

    static Mlp mlp(Weights w, String up, String down, int in, int inner, int out) {
        return new Mlp(Linear.load(w.at(up), inner, in), Activation.GELU_TANH, Linear.load(w.at(down), out, inner));
    }

    /** @param context [batch, l, d] */
    void readText(Backend backend, Trace trace, Tensor context, Text text, int heads) {
        backend.linear(List.of(cross.k().call(context, Epilogue.STORE, text.k()),
                cross.v().call(context, Epilogue.STORE, text.v())));
        trace.see("context.cross.k", "attn2.to_k", text.k(), heads);
        trace.see("context.cross.v", "attn2.to_v", text.v(), heads);
    }

    /**
     * Updates x [batch, n, d] in place.
     *
     * @param trace sees what is below this block
     * @param mod the modulation with this block's table, in its parts [rows, d] with rows 1 or batch
     * @param attend runs the attention among the patches
     */
    void apply(Backend backend, Trace trace, AttentionShape shape, Tensor[] mod, Text text, Buffers b, Tensor x,
               Consumer<AttentionStream> attend) {
        backend.layerNorm(x, null, null, mod[SCALE], mod[SHIFT], DitConfig.EPS, b.normed());
        backend.linear(List.of(self.q().call(b.normed(), Epilogue.STORE, b.q()),
                self.k().call(b.normed(), Epilogue.STORE, b.k()), self.v().call(b.normed(), Epilogue.STORE, b.v())));
        trace.see("image.attn.q", "attn1.to_q", b.q(), shape.heads());
        trace.see("image.attn.k", "attn1.to_k", b.k(), shape.heads());
        trace.see("image.attn.v", "attn1.to_v", b.v(), shape.heads());
        attend.accept(AttentionStream.of(b.q(), b.k(), b.v(), b.q()));
        trace.see("image.attn.out", "attn1.to_out.0 (input)", b.q(), shape.heads());
        self.out().apply(backend, b.q(), Epilogue.gatedAdd(mod[GATE]), x);

        // The stream is float32, which products read as an operand.
        backend.activate(Activation.NONE, x, b.normed());
        cross.q().apply(backend, b.normed(), b.q());
        trace.see("image.cross.q", "attn2.to_q", b.q(), shape.heads());
        trace.attention(backend, AttentionSite.CROSS, shape,
                List.of(AttentionStream.asking(b.q(), b.q()), text.asked()));
        trace.see("image.cross.out", "attn2.to_out.0 (input)", b.q(), shape.heads());
        cross.out().apply(backend, b.q(), Epilogue.ADD, x);

        backend.layerNorm(x, null, null, mod[MLP_SCALE], mod[MLP_SHIFT], DitConfig.EPS, b.normed());
        backend.linear(List.of(mlp.up(b.normed(), b.hidden())));
        trace.see("image.mlp.hidden", "ff.net.2 (input)", b.hidden());
        mlp.down().apply(backend, b.hidden(), Epilogue.gatedAdd(mod[MLP_GATE]), x);
    }
}
