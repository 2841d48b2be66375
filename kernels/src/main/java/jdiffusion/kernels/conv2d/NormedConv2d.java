package jdiffusion.kernels.conv2d;

import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.groupnorm.GroupNormCall;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;

/** {@link Backend#normedConv2d} as one step after the other. */
public final class NormedConv2d {
    private NormedConv2d() {
    }

    /** Through a new operand of the workspace. */
    public static void inTwoSteps(Backend backend, GroupNormCall norm, Conv2dShape shape, Tensor x, Tensor weight,
                                  Tensor bias, Epilogue epilogue, Tensor out, Workspace workspace) {
        try (var _ = workspace.scope()) {
            Tensor normed = workspace.wideOperand(x.shape().dims());
            backend.groupNorm(x, norm.groups(), norm.weight(), norm.bias(), norm.eps(), norm.activation(), normed);
            backend.conv2d(shape, normed, weight, bias, epilogue, out);
        }
    }
}
