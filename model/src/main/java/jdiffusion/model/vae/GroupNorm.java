package jdiffusion.model.vae;

import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Backend;
import jdiffusion.model.Compute;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weights;

/** GroupNorm with weight and bias [channels]. */
record GroupNorm(Tensor weight, Tensor bias, int groups) {
    static GroupNorm load(Weights w, VaeConfig c, int channels) {
        return new GroupNorm(w.tensor("weight", channels), w.tensor("bias", channels), c.groups());
    }

    /** Into x's own place where convolutions read its type, else into a new operand. */
    Tensor replace(Compute compute, Tensor x, Activation activation) {
        Tensor operand = compute.workspace().wideOperandType() == x.type() ? x
                : compute.workspace().wideOperand(x.shape().dims());
        apply(compute.backend(), x, activation, operand);
        return operand;
    }

    void apply(Backend backend, Tensor x, Activation activation, Tensor out) {
        backend.groupNorm(x, groups, weight, bias, VaeConfig.EPS, activation, out);
    }
}
