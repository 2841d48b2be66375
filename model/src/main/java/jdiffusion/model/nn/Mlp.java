package jdiffusion.model.nn;

import java.util.List;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.linear.LinearCall;
import jdiffusion.tensor.Tensor;

/** Two linear layers with an activation between. */
public record Mlp(Linear up, Activation activation, Linear down) {
    /** @param hidden [m, inner], overwritten */
    public void apply(Backend backend, Tensor x, Tensor hidden, Epilogue epilogue, Tensor out) {
        backend.linear(List.of(up(x, hidden)));
        down.apply(backend, hidden, epilogue, out);
    }

    /** The first layer and the activation, to be run together with those of others. */
    public LinearCall up(Tensor x, Tensor hidden) {
        return up.call(x, Epilogue.activate(activation), hidden);
    }
}
