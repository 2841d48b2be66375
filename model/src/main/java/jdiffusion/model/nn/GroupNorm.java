package jdiffusion.model.nn;

import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.groupnorm.GroupNormCall;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weights;

/** GroupNorm with weight and bias [channels]. */
public record GroupNorm(Tensor weight, Tensor bias, int groups, float eps) {
    public static GroupNorm load(Weights w, int channels, int groups, float eps) {
        return new GroupNorm(w.tensor("weight", channels), w.tensor("bias", channels), groups, eps);
    }

    public GroupNormCall call(Activation activation) {
        return new GroupNormCall(groups, weight, bias, eps, activation);
    }

    public void apply(Backend backend, Tensor x, Activation activation, Tensor out) {
        backend.groupNorm(x, groups, weight, bias, eps, activation, out);
    }
}
