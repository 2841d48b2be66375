package jdiffusion.model.auraflow;

import java.util.ArrayList;
import java.util.List;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.attention.AttentionShape;
import jdiffusion.kernels.linear.LinearCall;
import jdiffusion.model.AttentionSite;
import jdiffusion.model.Trace;
import jdiffusion.model.nn.Attending;
import jdiffusion.model.nn.Linear;
import jdiffusion.model.nn.StepModulations.Parts;
import jdiffusion.model.nn.StepModulations;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weights;

/**
 * One block of AuraFlow. In a joint block text and image have weights of their own and meet in one attention, as in
 * MMDiT (Esser et al., 2024); in a single one they are one stream.
 *
 * <p>The attention's output is not added to the stream: it is part of what the feed-forward layers read, and they alone
 * change the stream. x = x + gate2 * ff(mod2(norm(x + gate1 * attention(mod1(norm(x)))))).
 *
 * @param sides text and image, or the only one
 */
record Block(List<Side> sides) {
    // Parts of an adaLN projection in checkpoint order.
    private static final int SHIFT = 0;
    private static final int SCALE = 1;
    private static final int GATE = 2;
    private static final int FF_SHIFT = 3;
    private static final int FF_SCALE = 4;
    private static final int FF_GATE = 5;
    private static final int PARTS = 6;

    /**
     * What one stream has of its own; no layer has a bias.
     *
     * @param sites      names of what becomes of it
     * @param modulation [6 d, d] adaLN
     * @param q          [d, d], as k, v and out
     * @param gate       [inner, d] of the feed-forward layers: silu of it multiplies {@code up}
     * @param up         [inner, d]
     * @param down       [d, inner]
     */
    record Side(Sites sites, Linear modulation, Linear q, Linear k, Linear v, Linear out, Linear gate, Linear up,
                Linear down) {
        /** @param attention names of its q, k, v and out */
        private static Side load(Sites sites, AuraFlowConfig c, Weights modulation, Weights attn, Weights ff,
                                 String... attention) {
            int d = c.hidden();
            Linear[] projections = new Linear[attention.length];
            for (int i = 0; i < projections.length; i++) {
                projections[i] = Linear.withoutBias(attn.at(attention[i]), d, d);
            }
            return new Side(sites, Linear.withoutBias(modulation.at("linear"), PARTS * d, d), projections[0], projections[1],
                    projections[2], projections[3], Linear.withoutBias(ff.at("linear_1"), c.inner(), d),
                    Linear.withoutBias(ff.at("linear_2"), c.inner(), d),
                    Linear.withoutBias(ff.at("out_projection"), d, c.inner()));
        }

        void showProjections(Trace trace, AuraFlowBuffers.Stream s, int heads) {
            trace.see(sites.q, sites.qModule, s.q(), heads);
            trace.see(sites.k, sites.kModule, s.k(), heads);
            trace.see(sites.v, sites.vModule, s.v(), heads);
        }
    }

    /** What a side's tensors are called, and their modules in the checkpoint. */
    record Sites(String q, String qModule, String k, String kModule, String v, String vModule, String out,
                 String outModule, String hidden, String hiddenModule) {
        static final Sites CONTEXT = new Sites("context.attn.q", "attn.add_q_proj", "context.attn.k",
                "attn.add_k_proj", "context.attn.v", "attn.add_v_proj", "context.attn.out",
                "attn.to_add_out (input)", "context.mlp.hidden", "ff_context.out_projection (input)");
        static final Sites IMAGE = ofImage("image.");
        static final Sites SINGLE = ofImage("");

        private static Sites ofImage(String stream) {
            return new Sites(stream + "attn.q", "attn.to_q", stream + "attn.k", "attn.to_k", stream + "attn.v",
                    "attn.to_v", stream + "attn.out", "attn.to_out.0 (input)", stream + "mlp.hidden",
                    "ff.out_projection (input)");
        }
    }

    static Block joint(Weights w, AuraFlowConfig c) {
        return new Block(List.of(
                Side.load(Sites.CONTEXT, c, w.at("norm1_context"), w.at("attn"), w.at("ff_context"), "add_q_proj", "add_k_proj",
                        "add_v_proj", "to_add_out"),
                Side.load(Sites.IMAGE, c, w.at("norm1"), w.at("attn"), w.at("ff"), "to_q", "to_k", "to_v",
                        "to_out.0")));
    }

    static Block single(Weights w, AuraFlowConfig c) {
        return new Block(List.of(
                Side.load(Sites.SINGLE, c, w.at("norm1"), w.at("attn"), w.at("ff"), "to_q", "to_k", "to_v",
                        "to_out.0")));
    }

    /** Parts of the modulations of a block with so many sides. */
    static List<Parts> parts(int d, int sides) {
        return sides == 1 ? Parts.of(d, PARTS) : Parts.of(d, PARTS, PARTS);
    }

    /**
     * Updates the streams in place.
     *
     * @param trace     sees what is below this block
     * @param streams   one for each side
     * @param index     of this block among the layers of the modulations
     * @param attending how the layers attend
     */
    void apply(Backend backend, Trace trace, AuraFlowBuffers a, List<AuraFlowBuffers.Stream> streams,
               StepModulations modulations, int index, Attending attending) {
        AttentionShape shape = a.attention();
        Tensor[][] mod = modulations.of(index, sides.stream().map(Side::modulation).toArray(Linear[]::new));
        List<LinearCall> calls = new ArrayList<>(3 * sides.size());
        for (int i = 0; i < sides.size(); i++) {
            Side side = sides.get(i);
            AuraFlowBuffers.Stream s = streams.get(i);
            norm(backend, s.x(), mod[i][SCALE], mod[i][SHIFT], s.normed());
            calls.add(side.q.call(s.normed(), Epilogue.STORE, s.q()));
            calls.add(side.k.call(s.normed(), Epilogue.STORE, s.k()));
            calls.add(side.v.call(s.normed(), Epilogue.STORE, s.v()));
        }
        backend.linear(calls);
        for (int i = 0; i < sides.size(); i++) {
            sides.get(i).showProjections(trace, streams.get(i), shape.heads());
        }
        attending.run(backend, trace, sides.size() == 1 ? AttentionSite.JOINED : AttentionSite.TEXT_FIRST, index, shape,
                streams.stream().map(AuraFlowBuffers.Stream::attention).toList(), a.text().x().shape().dim(1),
                a.columns());

        calls.clear();
        for (int i = 0; i < sides.size(); i++) {
            AuraFlowBuffers.Stream s = streams.get(i);
            trace.see(sides.get(i).sites.out, sides.get(i).sites.outModule, s.q(), shape.heads());
            backend.activate(Activation.NONE, s.x(), s.attended());
            calls.add(sides.get(i).out.call(s.q(), Epilogue.gatedAdd(mod[i][GATE]), s.attended()));
        }
        backend.linear(calls);

        List<LinearCall> gates = new ArrayList<>(sides.size());
        List<LinearCall> downs = new ArrayList<>(sides.size());
        calls.clear();
        for (int i = 0; i < sides.size(); i++) {
            Side side = sides.get(i);
            AuraFlowBuffers.Stream s = streams.get(i);
            norm(backend, s.attended(), mod[i][FF_SCALE], mod[i][FF_SHIFT], s.normed());
            calls.add(side.up.call(s.normed(), Epilogue.STORE, s.hidden()));
            gates.add(side.gate.call(s.normed(), Epilogue.multiply(Activation.SILU), s.hidden()));
            downs.add(side.down.call(s.hidden(), Epilogue.gatedAdd(mod[i][FF_GATE]), s.x()));
        }
        backend.linear(calls);
        backend.linear(gates);
        for (int i = 0; i < sides.size(); i++) {
            trace.see(sides.get(i).sites.hidden, sides.get(i).sites.hiddenModule, streams.get(i).hidden());
        }
        backend.linear(downs);
    }

    private static void norm(Backend backend, Tensor x, Tensor scale, Tensor shift, Tensor out) {
        backend.layerNorm(x, null, null, scale, shift, AuraFlowConfig.EPS, out);
    }
}
