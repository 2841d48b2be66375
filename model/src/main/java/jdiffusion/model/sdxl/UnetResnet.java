package jdiffusion.model.sdxl;

import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Epilogue;
import jdiffusion.model.Compute;
import jdiffusion.model.nn.Conv2d;
import jdiffusion.model.nn.GroupNorm;
import jdiffusion.model.nn.Linear;
import jdiffusion.model.nn.StepModulations;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weights;
import jdiffusion.tensor.Workspace;

/**
 * x + conv(silu(norm(conv(silu(norm(x))) + time))), with a 1x1 convolution on x where the widths differ.
 *
 * @param index    among all residual blocks, in the order in which they run
 * @param time     of the vector that conditions the block, [out, timeWidth]
 * @param shortcut null where the widths are equal
 */
record UnetResnet(int index, GroupNorm norm1, Conv2d conv1, Linear time, GroupNorm norm2, Conv2d conv2,
                  Conv2d shortcut) {
    static UnetResnet load(Weights w, UnetConfig c, int index, int in, int out) {
        return new UnetResnet(index, GroupNorm.load(w.at("norm1"), in, c.groups(), c.eps()),
                Conv2d.load(w.at("conv1"), out, in, 3), Linear.load(w.at("time_emb_proj"), out, c.timeWidth()),
                GroupNorm.load(w.at("norm2"), out, c.groups(), c.eps()), Conv2d.load(w.at("conv2"), out, out, 3),
                in == out ? null : Conv2d.load(w.at("conv_shortcut"), out, in, 1));
    }

    int out() {
        return conv1.out();
    }

    /**
     * @param x   [batch, h, w, in]
     * @param out [batch, h, w, out]; may be x when the widths are equal
     */
    void apply(Compute compute, StepModulations steps, Tensor x, Tensor out) {
        Workspace w = compute.workspace();
        var s = x.shape();
        // What depends on the time is the same for all pixels: it is part of the bias.
        Tensor bias = steps.plus(index, time, conv1.bias()); // [batch, out]
        try (var _ = w.scope()) {
            Tensor middle = w.wideOperand(s.dim(0), s.dim(1), s.dim(2), out());
            conv1.applyNormed(compute, norm1, x, bias, Epilogue.STORE, middle);
            if (shortcut != null) {
                shortcut.apply(compute.backend(), x, Epilogue.STORE, out);
            } else if (x != out) {
                compute.backend().activate(Activation.NONE, x, out);
            }
            conv2.applyNormed(compute, norm2, middle, Epilogue.ADD, out);
        }
    }
}
