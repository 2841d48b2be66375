package jdiffusion.kernels.linear;

import java.util.List;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.Operands;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;

/**
 * One linear layer, out = epilogue(x w^T + bias), its shapes checked.
 *
 * @param x    [m, k], float32 or a device's operand type
 * @param w    [n, k]
 * @param bias [n] of any stored floating-point type, or null
 * @param out  [m, n], float32 or a device's operand type
 */
public record LinearCall(Tensor x, Weight w, Tensor bias, Epilogue epilogue, Tensor out) {
    public LinearCall {
        Tensor gate = epilogue.gate();
        if (!Operands.isActivation(x) || x.cols() != w.cols()) {
            throw misfit("input", x, w, out);
        }
        if (!Operands.isActivation(out) || out.cols() != w.rows() || out.rows() != x.rows()) {
            throw misfit("output", out, w, x);
        }
        if (bias != null && (!bias.type().isFloat() || bias.shape().rank() != 1 || bias.cols() != w.rows())) {
            throw misfit("bias", bias, w, out);
        }
        if (gate != null && (gate.type() != DType.F32 || gate.cols() != w.rows() || gate.rows() == 0
                || out.rows() % gate.rows() != 0)) {
            throw misfit("gate", gate, w, out);
        }
    }

    /**
     * A gated layer as two, the first of which has to be done before the second: see
     * {@link jdiffusion.kernels.Backend#gatedLinear}.
     */
    public static List<LinearCall> gated(Tensor x, Weight w, Tensor bias, Activation activation, Tensor out) {
        int n = w.rows() / 2;
        if (w.rows() % 2 != 0 || out.cols() != n) {
            throw new IllegalArgumentException("gatedLinear: weight [" + w.rows() + ", " + w.cols()
                    + "] is not twice as high as the columns of " + out);
        }
        if (bias != null && (bias.shape().rank() != 1 || bias.cols() != w.rows())) {
            throw misfit("bias", bias, w, out);
        }
        return List.of(
                new LinearCall(x, w.slice(0, n), bias == null ? null : bias.columns(0, n), Epilogue.STORE, out),
                new LinearCall(x, w.slice(n, 2 * n), bias == null ? null : bias.columns(n, 2 * n),
                        Epilogue.multiply(activation), out));
    }

    /** The part that makes columns {@code from} to {@code to} of out, with its part of the weight. */
    LinearCall columns(Weight part, int from, int to) {
        Epilogue own = epilogue.gate() == null ? epilogue
                : new Epilogue(epilogue.activation(), epilogue.mode(), epilogue.gate().columns(from, to));
        return new LinearCall(x, part, bias == null ? null : bias.columns(from, to), own, out.columns(from, to));
    }

    /** Rows of x and out. */
    public int m() {
        return x.rows();
    }

    /** Columns of out. */
    public int n() {
        return w.rows();
    }

    /** Columns of x. */
    public int k() {
        return w.cols();
    }

    /** Multiplications and additions of the product. */
    public long flops() {
        return 2L * m() * n() * k();
    }

    /** The same of several. Allocates nothing, since steps are counted. */
    public static long flops(List<LinearCall> calls) {
        long flops = 0;
        for (int i = 0; i < calls.size(); i++) {
            flops += calls.get(i).flops();
        }
        return flops;
    }

    private static IllegalArgumentException misfit(String name, Tensor tensor, Weight w, Tensor other) {
        return new IllegalArgumentException("linear: " + name + " " + tensor + " does not fit weight [" + w.rows()
                + ", " + w.cols() + "] and " + other);
    }

    @Override
    public String toString() {
        return "linear of " + x + " by [" + n() + ", " + k() + "] to " + out;
    }
}
