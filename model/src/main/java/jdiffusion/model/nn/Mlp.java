package jdiffusion.model.nn;

import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Epilogue;
import jdiffusion.tensor.Tensor;

/** Two linear layers with an activation between. */
public record Mlp(Linear up, Activation activation, Linear down) {
    /** @param hidden [m, inner], overwritten */
    public void apply(Backend backend, Tensor x, Tensor hidden, Epilogue epilogue, Tensor out) {
        up.apply(backend, x, Epilogue.activate(activation), hidden);
        down.apply(backend, hidden, epilogue, out);
    }
}
