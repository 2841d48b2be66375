package jdiffusion.model.nn;

import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.conv2d.Conv2dShape;
import jdiffusion.model.Compute;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weights;

/** A convolution with weight [cout, cin, k, k] and bias [cout] or null, on images [batch, h, w, channels]. */
public record Conv2d(Tensor weight, Tensor bias) {
    public static Conv2d load(Weights w, int out, int in, int kernel) {
        return new Conv2d(w.kernels("weight", out, in, kernel, kernel), w.tensor("bias", out));
    }

    public static Conv2d withoutBias(Weights w, int out, int in, int kernel) {
        return new Conv2d(w.kernels("weight", out, in, kernel, kernel), null);
    }

    public int out() {
        return weight.shape().dim(0);
    }

    /** Same size in and out. */
    public void apply(Backend backend, Tensor x, Epilogue epilogue, Tensor out) {
        var s = x.shape();
        backend.conv2d(Conv2dShape.same(s.dim(0), s.dim(1), s.dim(2), s.dim(3), out(), weight.shape().dim(2)), x,
                weight, bias, epilogue, out);
    }

    /** The same of silu(norm(x)). */
    public void applyNormed(Compute compute, GroupNorm norm, Tensor x, Epilogue epilogue, Tensor out) {
        applyNormed(compute, norm, x, bias, epilogue, out);
    }

    /**
     * The same with another bias.
     *
     * @param added [cout], or [batch, cout] with a row for each image
     */
    public void applyNormed(Compute compute, GroupNorm norm, Tensor x, Tensor added, Epilogue epilogue, Tensor out) {
        var s = x.shape();
        compute.backend().normedConv2d(norm.call(Activation.SILU),
                Conv2dShape.same(s.dim(0), s.dim(1), s.dim(2), s.dim(3), out(), weight.shape().dim(2)), x, weight,
                added, epilogue, out, compute.workspace());
    }

    /** Half the size: stride 2, one row and column of zeros at the far ends only. */
    public void applyHalving(Backend backend, Tensor x, Tensor out) {
        var s = x.shape();
        backend.conv2d(new Conv2dShape(s.dim(0), s.dim(1), s.dim(2), s.dim(3), out(), weight.shape().dim(2), 2, 0, 1),
                x, weight, bias, Epilogue.STORE, out);
    }

    /** Half the size: stride 2, zeros at all ends alike. */
    public void applyStrided(Backend backend, Tensor x, Tensor out) {
        var s = x.shape();
        backend.conv2d(new Conv2dShape(s.dim(0), s.dim(1), s.dim(2), s.dim(3), out(), weight.shape().dim(2), 2, 1, 1),
                x, weight, bias, Epilogue.STORE, out);
    }
}
