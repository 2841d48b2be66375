package jdiffusion.kernels.conv2d;

import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.Operands;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;

/** What devices share of {@link Backend#upsampledConv2d}. */
public final class UpsampledConv2d {
    private UpsampledConv2d() {
    }

    /** Checks the tensors and gives the convolution of the doubled image, or of what is kept of it. */
    public static Conv2dShape shape(Tensor x, Tensor weight, Tensor bias, Tensor out) {
        Operands.images("upsampledConv2d", x, out);
        Operands.doubled("upsampledConv2d", x, out);
        var s = out.shape();
        Conv2dShape shape = Conv2dShape.same(s.dim(0), s.dim(1), s.dim(2), x.cols(), s.dim(3), 3);
        shape.checkAllButInput(weight, bias, Epilogue.STORE, out);
        return shape;
    }

    /** Whether out has all rows and columns of the doubled image. */
    public static boolean isWhole(Tensor x, Tensor out) {
        return out.shape().dim(1) == 2 * x.shape().dim(1) && out.shape().dim(2) == 2 * x.shape().dim(2);
    }

    /** Of the nine products with a doubled image the four that differ are counted, where all of it is kept. */
    public static long flops(Conv2dShape shape, Tensor x, Tensor out) {
        return isWhole(x, out) ? shape.flops() / 9 * 4 : shape.flops();
    }

    /** One step after the other. */
    public static void inTwoSteps(Backend backend, Tensor x, Tensor weight, Tensor bias, Tensor out,
                                  Workspace workspace) {
        Conv2dShape shape = shape(x, weight, bias, out);
        try (var _ = workspace.scope()) {
            Tensor doubled = workspace.wideOperand(shape.batch(), shape.height(), shape.width(), shape.cin());
            backend.upsampleNearest(x, doubled);
            backend.conv2d(shape, doubled, weight, bias, Epilogue.STORE, out);
        }
    }
}
