package jdiffusion.model.sd3;

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
import jdiffusion.model.nn.Mlp;
import jdiffusion.model.nn.StepModulations.Parts;
import jdiffusion.model.nn.StepModulations;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weights;

/**
 * One block of MMDiT: image and text, each with weights of its own, meet in one attention. Figure 2b of Esser et al.
 * (2024); MMDiT-X adds a second attention of the image alone ({@code dual}).
 *
 * @param contextModulation adaLN of the text: 6 parts, or in the last block the 2 of its only norm
 * @param contextMlp        null in the last block, whose text stream ends here
 */
record JointBlock(Linear imageModulation, Linear contextModulation, Attention image, Attention context,
                  Attention dual, Mlp imageMlp, Mlp contextMlp) {
    // Parts of an adaLN projection in checkpoint order.
    static final int SHIFT = 0;
    static final int SCALE = 1;
    static final int GATE = 2;
    static final int MLP_SHIFT = 3;
    static final int MLP_SCALE = 4;
    static final int MLP_GATE = 5;
    private static final int DUAL_SHIFT = 6;
    private static final int DUAL_SCALE = 7;
    private static final int DUAL_GATE = 8;
    // A continuous adaLN (last block's text, final layer) stores its two parts the other way round.
    static final int CONTINUOUS_SCALE = 0;
    static final int CONTINUOUS_SHIFT = 1;

    /** @param last whether the text's stream ends here */
    static JointBlock load(Weights w, MmditConfig c, int index, boolean last) {
        int d = c.hidden();
        boolean dual = c.dualBlocks().contains(index);
        int[] parts = parts(dual, last);
        return new JointBlock(
                Linear.load(w.at("norm1.linear"), parts[0] * d, d),
                Linear.load(w.at("norm1_context.linear"), parts[1] * d, d),
                Attention.ofImage(w.at("attn"), c),
                Attention.ofContext(w.at("attn"), c, last),
                dual ? Attention.ofImage(w.at("attn2"), c) : null,
                mlp(w.at("ff"), c),
                last ? null : mlp(w.at("ff_context"), c));
    }

    static Mlp mlp(Weights w, MmditConfig c) {
        int d = c.hidden();
        int inner = MmditConfig.MLP_RATIO * d;
        return new Mlp(Linear.load(w.at("net.0.proj"), inner, d), Activation.GELU_TANH,
                Linear.load(w.at("net.2"), d, inner));
    }

    /** Parts of the modulations of a block: of the image, and of the text. */
    static int[] parts(boolean dual, boolean last) {
        return new int[] {dual ? 9 : 6, last ? 2 : 6};
    }

    /** The same where attention is as it was trained. */
    void apply(Backend backend, Trace trace, MmditBuffers a, StepModulations modulations, int index) {
        apply(backend, trace, a, modulations, index, Attending.PLAIN, a.image().rows());
    }

    /**
     * Updates {@code a.image} [batch, n, d] and {@code a.context} [batch, l, d] in place.
     *
     * @param trace     sees what is below this block
     * @param index     of this block among the layers of the modulations
     * @param attending how the layers attend
     * @param columns   of the image's tokens
     */
    void apply(Backend backend, Trace trace, MmditBuffers a, StepModulations modulations, int index,
               Attending attending, int columns) {
        boolean last = contextMlp == null;
        Tensor[][] parts = modulations.of(index, imageModulation, contextModulation);
        Tensor[] mod = parts[0];
        Tensor[] textMod = parts[1];

        // Both norms of the image come from the same x, so both precede the residual updates.
        if (dual == null) {
            norm(backend, a.image(), mod[SCALE], mod[SHIFT], a.normed());
        } else {
            backend.layerNormTwice(a.image(), mod[SCALE], mod[SHIFT], a.normed(), mod[DUAL_SCALE], mod[DUAL_SHIFT],
                    a.normedDual(), MmditConfig.EPS);
        }
        norm(backend, a.context(), textMod[last ? CONTINUOUS_SCALE : SCALE],
                textMod[last ? CONTINUOUS_SHIFT : SHIFT], a.normedText());

        List<LinearCall> projections = new ArrayList<>(9);
        image.project(a.normed(), a.imageQkv(), projections);
        context.project(a.normedText(), a.contextQkv(), projections);
        if (dual != null) {
            dual.project(a.normedDual(), a.dualQkv(), projections);
        }
        backend.linear(projections);
        int heads = a.attention().heads();
        trace.see("image.attn.q", "attn.to_q", a.imageQkv().q(), heads);
        trace.see("image.attn.k", "attn.to_k", a.imageQkv().k(), heads);
        trace.see("image.attn.v", "attn.to_v", a.imageQkv().v(), heads);
        if (!last) {
            trace.see("context.attn.q", "attn.add_q_proj", a.contextQkv().q(), heads);
        }
        trace.see("context.attn.k", "attn.add_k_proj", a.contextQkv().k(), heads);
        trace.see("context.attn.v", "attn.add_v_proj", a.contextQkv().v(), heads);
        if (dual != null) {
            trace.see("image.dual.q", "attn2.to_q", a.dualQkv().q(), heads);
            trace.see("image.dual.k", "attn2.to_k", a.dualQkv().k(), heads);
            trace.see("image.dual.v", "attn2.to_v", a.dualQkv().v(), heads);
        }
        attending.run(backend, trace, AttentionSite.IMAGE_FIRST, index, a.attention(),
                List.of(image.stream(a.imageQkv()), context.stream(a.contextQkv())), columns);
        trace.see("image.attn.out", "attn.to_out.0 (input)", a.imageQkv().q(), heads);
        if (!last) {
            trace.see("context.attn.out", "attn.to_add_out (input)", a.contextQkv().q(), heads);
        }
        LinearCall imageOut = image.out().call(a.imageQkv().q(), Epilogue.gatedAdd(mod[GATE]), a.image());
        backend.linear(last ? List.of(imageOut) : List.of(imageOut,
                context.out().call(a.contextQkv().q(), Epilogue.gatedAdd(textMod[GATE]), a.context())));
        if (dual != null) {
            attending.run(backend, trace, AttentionSite.DUAL, index, a.attention(),
                    List.of(dual.stream(a.dualQkv())), columns);
            trace.see("image.dual.out", "attn2.to_out.0 (input)", a.dualQkv().q(), heads);
            dual.out().apply(backend, a.dualQkv().q(), Epilogue.gatedAdd(mod[DUAL_GATE]), a.image());
        }

        norm(backend, a.image(), mod[MLP_SCALE], mod[MLP_SHIFT], a.normed());
        if (last) {
            backend.linear(List.of(imageMlp.up(a.normed(), a.imageHidden())));
            trace.see("image.mlp.hidden", "ff.net.2 (input)", a.imageHidden());
            imageMlp.down().apply(backend, a.imageHidden(), Epilogue.gatedAdd(mod[MLP_GATE]), a.image());
            return;
        }
        norm(backend, a.context(), textMod[MLP_SCALE], textMod[MLP_SHIFT], a.normedText());
        backend.linear(List.of(imageMlp.up(a.normed(), a.imageHidden()),
                contextMlp.up(a.normedText(), a.contextHidden())));
        trace.see("image.mlp.hidden", "ff.net.2 (input)", a.imageHidden());
        trace.see("context.mlp.hidden", "ff_context.net.2 (input)", a.contextHidden());
        backend.linear(List.of(
                imageMlp.down().call(a.imageHidden(), Epilogue.gatedAdd(mod[MLP_GATE]), a.image()),
                contextMlp.down().call(a.contextHidden(), Epilogue.gatedAdd(textMod[MLP_GATE]), a.context())));
    }

    static void norm(Backend backend, Tensor x, Tensor scale, Tensor shift, Tensor out) {
        backend.layerNorm(x, null, null, scale, shift, MmditConfig.EPS, out);
    }
}
