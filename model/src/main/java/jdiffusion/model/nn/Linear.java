package jdiffusion.model.nn;

import java.util.List;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.linear.LinearCall;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;
import jdiffusion.tensor.Weights;

/**
 * y = x W^T + b.
 *
 * @param weight [out, in]
 * @param bias   [out], or null
 */
public record Linear(Weight weight, Tensor bias) {
    public static Linear load(Weights weights, int out, int in) {
        return new Linear(weights.matrix("weight", out, in), weights.tensor("bias", out));
    }

    public static Linear withoutBias(Weights weights, int out, int in) {
        return new Linear(weights.matrix("weight", out, in), null);
    }

    /** x [m, in] to y [m, out]. */
    public void apply(Backend backend, Tensor x, Tensor y) {
        apply(backend, x, Epilogue.STORE, y);
    }

    public void apply(Backend backend, Tensor x, Epilogue epilogue, Tensor y) {
        backend.linear(List.of(call(x, epilogue, y)));
    }

    /** The same, to be run together with others. */
    public LinearCall call(Tensor x, Epilogue epilogue, Tensor y) {
        return new LinearCall(x, weight, bias, epilogue, y);
    }
}
