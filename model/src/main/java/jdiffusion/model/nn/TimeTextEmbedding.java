package jdiffusion.model.nn;

import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Epilogue;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weights;

/**
 * The vector that conditions every block: an MLP of the timestep's sinusoids plus an MLP of the pooled text.
 *
 * @param text null where no text takes part
 */
public record TimeTextEmbedding(Mlp timestep, Mlp text) {
    /**
     * @param timestep layers {@code linear_1} [d, channels] and {@code linear_2} [d, d]
     * @param text     the same [d, pooled], [d, d]
     */
    public static TimeTextEmbedding load(Weights timestep, int channels, Weights text, int pooled, int d) {
        return new TimeTextEmbedding(mlp(timestep, d, channels), mlp(text, d, pooled));
    }

    /** One without text: layers {@code linear_1} [d, channels] and {@code linear_2} [d, d]. */
    public static TimeTextEmbedding ofTime(Weights timestep, int channels, int d) {
        return new TimeTextEmbedding(mlp(timestep, d, channels), null);
    }

    /** An MLP of layers {@code linear_1} [d, in] and {@code linear_2} [d, d]. */
    public static Mlp mlp(Weights w, int d, int in) {
        return new Mlp(Linear.load(w.at("linear_1"), d, in), Activation.SILU, Linear.load(w.at("linear_2"), d, d));
    }

    /** Numbers of a timestep's sinusoids. */
    public int channels() {
        return timestep.up().weight().cols();
    }

    /**
     * Adds the timesteps' part to the text's, if there is one.
     *
     * @param times    [m]
     * @param sinusoid [m, channels], written
     * @param hidden   [m, d], written
     * @param sum      [m, d] the text's part, where there is one; updated
     * @param silu     [m, d] silu(sum), written
     */
    public void apply(Backend backend, Tensor times, Tensor sinusoid, Tensor hidden, Tensor sum, Tensor silu) {
        backend.timestepEmbedding(times, sinusoid);
        timestep.apply(backend, sinusoid, hidden, text == null ? Epilogue.STORE : Epilogue.ADD, sum);
        backend.activate(Activation.SILU, sum, silu);
    }
}
