package jdiffusion.model.vae;

import jdiffusion.kernels.Epilogue;
import jdiffusion.model.Compute;
import jdiffusion.model.nn.Conv2d;
import jdiffusion.model.nn.GroupNorm;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weights;
import jdiffusion.tensor.Workspace;

/** x + conv(silu(norm(conv(silu(norm(x)))))), with a 1x1 convolution on x where the widths differ. */
record ResnetBlock(GroupNorm norm1, Conv2d conv1, GroupNorm norm2, Conv2d conv2, Conv2d shortcut) {
    static ResnetBlock load(Weights w, VaeConfig c, int in, int out) {
        return new ResnetBlock(c.norm(w.at("norm1"), in), Conv2d.load(w.at("conv1"), out, in, 3),
                c.norm(w.at("norm2"), out), Conv2d.load(w.at("conv2"), out, out, 3),
                in == out ? null : Conv2d.load(w.at("conv_shortcut"), out, in, 1));
    }

    /**
     * @param x   [batch, h, w, in]
     * @param out [batch, h, w, out]; x itself when the widths are equal
     */
    void apply(Compute compute, Tensor x, Tensor out) {
        Workspace w = compute.workspace();
        var s = x.shape();
        try (var _ = w.scope()) {
            Tensor middle = w.wideOperand(s.dim(0), s.dim(1), s.dim(2), conv1.out());
            if (shortcut != null) {
                shortcut.apply(compute.backend(), x, Epilogue.STORE, out);
            }
            conv1.applyNormed(compute, norm1, x, Epilogue.STORE, middle);
            conv2.applyNormed(compute, norm2, middle, Epilogue.ADD, out);
        }
    }
}
