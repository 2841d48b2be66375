package jdiffusion.model.sd3;

import java.util.ArrayList;
import java.util.List;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.linear.LinearCall;
import jdiffusion.model.nn.Linear;
import jdiffusion.model.nn.Mlp;
import jdiffusion.model.nn.StepModulations.Parts;
import jdiffusion.model.nn.StepModulations;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weights;

/**
 * A block of DiT that sees the image alone (Peebles and Xie, "Scalable Diffusion Models with Transformers", 2023), as
 * the ControlNets of SD3.5 Large have it: no text, and no norms of q and k.
 *
 * @param modulation adaLN of 6 parts
 */
record ImageBlock(Linear modulation, Attention attention, Mlp mlp) {
    /** Parts of its modulation. */
    static final int PARTS = 6;

    static ImageBlock load(Weights w, MmditConfig c) {
        return new ImageBlock(Linear.load(w.at("norm1.linear"), PARTS * c.hidden(), c.hidden()),
                Attention.ofImage(w.at("attn"), c), JointBlock.mlp(w.at("ff"), c));
    }

    /**
     * Updates {@code a.image} [batch, n, d] in place.
     *
     * @param index of this block among the layers of the modulations
     */
    void apply(Backend backend, MmditBuffers a, StepModulations modulations, int index) {
        Tensor[] mod = modulations.of(index, modulation)[0];
        JointBlock.norm(backend, a.image(), mod[JointBlock.SCALE], mod[JointBlock.SHIFT], a.normed());
        List<LinearCall> projections = new ArrayList<>(3);
        attention.project(a.normed(), a.imageQkv(), projections);
        backend.linear(projections);
        backend.attention(a.attention(), List.of(attention.stream(a.imageQkv())), null);
        attention.out().apply(backend, a.imageQkv().q(), Epilogue.gatedAdd(mod[JointBlock.GATE]), a.image());
        JointBlock.norm(backend, a.image(), mod[JointBlock.MLP_SCALE], mod[JointBlock.MLP_SHIFT], a.normed());
        mlp.apply(backend, a.normed(), a.imageHidden(), Epilogue.gatedAdd(mod[JointBlock.MLP_GATE]), a.image());
    }
}
