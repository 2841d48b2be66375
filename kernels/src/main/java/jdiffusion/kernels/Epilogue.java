package jdiffusion.kernels;

import jdiffusion.tensor.Tensor;

/**
 * What a linear layer or convolution does with y = x W^T + b before it leaves the registers.
 *
 * @param activation applied to y first
 * @param mode       how the result meets what {@code out} holds
 * @param gate       with {@link Mode#ADD}: [batch, n] factors, one row for each of {@code batch} equal runs of rows;
 *                   null for 1. The gate of adaLN (Peebles and Xie, "Scalable Diffusion Models with Transformers").
 */
public record Epilogue(Activation activation, Mode mode, Tensor gate) {
    /** How a result meets the output tensor. */
    public enum Mode {
        /** out = act(y) */
        STORE,
        /** out = out + gate * act(y): the residual connection. */
        ADD,
        /** out = out * act(y): the gate of a gated feed-forward layer, Shazeer (2020). */
        MULTIPLY
    }

    public static final Epilogue STORE = activate(Activation.NONE);
    public static final Epilogue ADD = new Epilogue(Activation.NONE, Mode.ADD, null);

    public Epilogue {
        if (gate != null && mode != Mode.ADD) {
            throw new IllegalArgumentException("a gate goes with ADD only, not " + mode);
        }
    }

    /** The same on what was activated before. */
    public Epilogue withoutActivation() {
        return new Epilogue(Activation.NONE, mode, gate);
    }

    public static Epilogue activate(Activation activation) {
        return new Epilogue(activation, Mode.STORE, null);
    }

    public static Epilogue multiply(Activation activation) {
        return new Epilogue(activation, Mode.MULTIPLY, null);
    }

    public static Epilogue gatedAdd(Tensor gate) {
        return new Epilogue(Activation.NONE, Mode.ADD, gate);
    }
}
