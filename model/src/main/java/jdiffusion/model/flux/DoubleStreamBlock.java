package jdiffusion.model.flux;

import java.util.List;
import java.util.stream.Stream;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.linear.LinearCall;
import jdiffusion.model.AttentionSite;
import jdiffusion.model.Trace;
import jdiffusion.model.nn.Attending;
import jdiffusion.model.nn.Linear;
import jdiffusion.model.nn.Mlp;
import jdiffusion.model.nn.StepModulations;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weights;

/** Image and text, each with weights of its own, meet in one attention: BFL's {@code DoubleStreamBlock}. */
record DoubleStreamBlock(Half img, Half txt) implements Block {
    /** Parts of the modulation of each half. */
    static final int PARTS = 6;

    /**
     * What one of the two streams passes through.
     *
     * @param mod  adaLN: shift, scale and gate of the attention, then of the MLP
     * @param proj of the attention's result
     */
    record Half(Linear mod, Qkv qkv, Linear proj, Mlp mlp) {
        static Half load(FluxConfig c, Weights mod, Qkv qkv, Weights proj, Weights mlp) {
            int d = c.hidden();
            int inner = FluxConfig.MLP_RATIO * d;
            return new Half(Linear.load(mod, PARTS * d, d), qkv, Linear.load(proj, d, d),
                    new Mlp(Linear.load(mlp.at("net.0.proj"), inner, d), Activation.GELU_TANH,
                            Linear.load(mlp.at("net.2"), d, inner)));
        }

        void normAttention(Backend backend, FluxBuffers.Half a, Tensor[] parts) {
            Block.modulated(backend, a.stream(), parts[SCALE], parts[SHIFT], a.normed());
        }

        LinearCall addAttention(FluxBuffers.Half a, Tensor[] parts) {
            return proj.call(a.qkv().q(), Epilogue.gatedAdd(parts[GATE]), a.stream());
        }

        void normMlp(Backend backend, FluxBuffers.Half a, Tensor[] parts) {
            Block.modulated(backend, a.stream(), parts[MLP_SCALE], parts[MLP_SHIFT], a.normed());
        }

        LinearCall addMlp(FluxBuffers.Half a, Tensor[] parts) {
            return mlp.down().call(a.hidden(), Epilogue.gatedAdd(parts[MLP_GATE]), a.stream());
        }
    }

    static DoubleStreamBlock load(Weights w, FluxConfig c) {
        Weights attn = w.at("attn");
        return new DoubleStreamBlock(
                Half.load(c, w.at("norm1.linear"), Qkv.load(attn, c, "to_q", "to_k", "to_v", "norm_q", "norm_k"),
                        attn.at("to_out.0"), w.at("ff")),
                Half.load(c, w.at("norm1_context.linear"), Qkv.load(attn, c, "add_q_proj", "add_k_proj", "add_v_proj",
                        "norm_added_q", "norm_added_k"), attn.at("to_add_out"), w.at("ff_context")));
    }

    /** Updates image [batch, n, d] and text [batch, l, d]. */
    @Override
    public void apply(Backend backend, Trace trace, FluxBuffers a, StepModulations modulations, int index,
                      Attending attending) {
        Tensor[][] parts = modulations.of(index, img.mod, txt.mod);
        Tensor[] imgMod = parts[0];
        Tensor[] txtMod = parts[1];
        img.normAttention(backend, a.img(), imgMod);
        txt.normAttention(backend, a.txt(), txtMod);
        backend.linear(Stream.concat(img.qkv.calls(a.img().normed(), a.img().qkv()).stream(),
                txt.qkv.calls(a.txt().normed(), a.txt().qkv()).stream()).toList());
        int heads = a.attention().heads();
        trace.see("image.attn.q", "attn.to_q", a.img().qkv().q(), heads);
        trace.see("image.attn.k", "attn.to_k", a.img().qkv().k(), heads);
        trace.see("image.attn.v", "attn.to_v", a.img().qkv().v(), heads);
        trace.see("context.attn.q", "attn.add_q_proj", a.txt().qkv().q(), heads);
        trace.see("context.attn.k", "attn.add_k_proj", a.txt().qkv().k(), heads);
        trace.see("context.attn.v", "attn.add_v_proj", a.txt().qkv().v(), heads);
        // Text comes first, and does not turn.
        attending.run(backend, trace, AttentionSite.TEXT_FIRST, index, a.attention(), List.of(
                txt.qkv.stream(a.txt().qkv(), null), img.qkv.stream(a.img().qkv(), a.imgRotary())), 0, a.columns());
        trace.see("image.attn.out", "attn.to_out.0 (input)", a.img().qkv().q(), heads);
        trace.see("context.attn.out", "attn.to_add_out (input)", a.txt().qkv().q(), heads);
        backend.linear(List.of(img.addAttention(a.img(), imgMod), txt.addAttention(a.txt(), txtMod)));

        img.normMlp(backend, a.img(), imgMod);
        txt.normMlp(backend, a.txt(), txtMod);
        backend.linear(List.of(img.mlp.up(a.img().normed(), a.img().hidden()),
                txt.mlp.up(a.txt().normed(), a.txt().hidden())));
        trace.see("image.mlp.hidden", "ff.net.2 (input)", a.img().hidden());
        trace.see("context.mlp.hidden", "ff_context.net.2 (input)", a.txt().hidden());
        backend.linear(List.of(img.addMlp(a.img(), imgMod), txt.addMlp(a.txt(), txtMod)));
    }
}
