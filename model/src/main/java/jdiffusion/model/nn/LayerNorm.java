package jdiffusion.model.nn;

import jdiffusion.kernels.Backend;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weights;

/** LayerNorm with weight and bias [channels]. */
public record LayerNorm(Tensor weight, Tensor bias, float eps) {
    public static LayerNorm load(Weights weights, int channels, float eps) {
        return new LayerNorm(weights.tensor("weight", channels), weights.tensor("bias", channels), eps);
    }

    public void apply(Backend backend, Tensor x, Tensor out) {
        backend.layerNorm(x, weight, bias, null, null, eps, out);
    }
}
