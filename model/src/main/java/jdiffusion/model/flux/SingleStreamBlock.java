package jdiffusion.model.flux;

import java.util.ArrayList;
import java.util.List;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.linear.LinearCall;
import jdiffusion.model.AttentionSite;
import jdiffusion.model.Trace;
import jdiffusion.model.nn.Attending;
import jdiffusion.model.nn.Linear;
import jdiffusion.model.nn.StepModulations;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weights;

/**
 * Text and image as one stream, whose attention and MLP run side by side (Dehghani et al., "Scaling Vision
 * Transformers to 22 Billion Parameters", 2023): BFL's {@code SingleStreamBlock}. Its {@code linear1} is q, k, v and
 * the MLP's first layer, its {@code linear2} reads the attention's result and the MLP's, side by side.
 *
 * @param modulation adaLN: shift, scale, gate
 * @param linear2    [d, d + inner]
 */
record SingleStreamBlock(Linear modulation, Qkv qkv, Linear mlp, Linear linear2) implements Block {
    /** Parts of the modulation. */
    static final int PARTS = 3;

    static SingleStreamBlock load(Weights w, FluxConfig c) {
        int d = c.hidden();
        int inner = FluxConfig.MLP_RATIO * d;
        return new SingleStreamBlock(Linear.load(w.at("norm.linear"), PARTS * d, d),
                Qkv.load(w.at("attn"), c, "to_q", "to_k", "to_v", "norm_q", "norm_k"),
                Linear.load(w.at("proj_mlp"), inner, d), Linear.load(w.at("proj_out"), d, d + inner));
    }

    /** Updates text and image [batch, l + n, d]. */
    @Override
    public void apply(Backend backend, Trace trace, FluxBuffers a, StepModulations modulations, int index,
                      Attending attending) {
        Tensor[] mod = modulations.of(index, modulation)[0];
        FluxBuffers.Single s = a.single();
        Block.modulated(backend, s.stream(), mod[SCALE], mod[SHIFT], s.normed());
        List<LinearCall> linear1 = new ArrayList<>(qkv.calls(s.normed(), s.qkv()));
        linear1.add(mlp.call(s.normed(), Epilogue.activate(Activation.GELU_TANH), s.hidden()));
        backend.linear(linear1);
        int heads = a.attention().heads();
        trace.see("attn.q", "attn.to_q", s.qkv().q(), heads);
        trace.see("attn.k", "attn.to_k", s.qkv().k(), heads);
        trace.see("attn.v", "attn.to_v", s.qkv().v(), heads);
        trace.see("mlp.hidden", "proj_mlp", s.hidden());
        attending.run(backend, trace, AttentionSite.JOINED, index, a.attention(),
                List.of(qkv.stream(s.qkv(), a.rotary())), a.text(), a.columns());
        trace.see("attn.out", "proj_out (input)", s.qkv().q(), heads);
        linear2.apply(backend, s.joined(), Epilogue.gatedAdd(mod[GATE]), s.stream());
    }
}
