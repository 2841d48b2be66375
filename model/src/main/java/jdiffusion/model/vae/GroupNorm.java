package jdiffusion.model.vae;

import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.groupnorm.GroupNormCall;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weights;

/** GroupNorm with weight and bias [channels]. */
record GroupNorm(Tensor weight, Tensor bias, int groups) {
    static GroupNorm load(Weights w, VaeConfig c, int channels) {
        return new GroupNorm(w.tensor("weight", channels), w.tensor("bias", channels), c.groups());
    }

    GroupNormCall call(Activation activation) {
        return new GroupNormCall(groups, weight, bias, VaeConfig.EPS, activation);
    }

    void apply(Backend backend, Tensor x, Activation activation, Tensor out) {
        backend.groupNorm(x, groups, weight, bias, VaeConfig.EPS, activation, out);
    }
}
