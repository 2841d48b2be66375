package jdiffusion.kernels;

import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;

/** Checks of an operation's tensors on entry: failures name the operation, what it needs, and both tensors. */
public final class Operands {
    private Operands() {
    }

    /** The failure of an operation that needs something else of these two tensors. */
    public static IllegalArgumentException mismatch(String operation, String needs, Tensor a, Tensor b) {
        return new IllegalArgumentException(operation + " needs " + needs + ", got " + a + " and " + b);
    }

    /** Both are activations of the same shape. */
    public static void equalShapes(String operation, Tensor a, Tensor b) {
        activations(operation, a, b);
        if (!a.shape().equals(b.shape())) {
            throw mismatch(operation, "equal shapes", a, b);
        }
    }

    /** Both are activations with as many rows and channels, the outer dimensions flattened. */
    public static void equalRows(String operation, Tensor a, Tensor b) {
        activations(operation, a, b);
        if (a.rows() != b.rows() || a.cols() != b.cols()) {
            throw mismatch(operation, "equal rows and channels", a, b);
        }
    }

    /** A vector with one entry for each channel of {@code x}, of any floating-point type; or null. */
    public static void parameter(String operation, Tensor vector, Tensor x) {
        if (vector != null && (!vector.type().isFloat() || vector.rows() != 1 || vector.cols() != x.cols())) {
            throw mismatch(operation, "one parameter for each channel", x, vector);
        }
    }

    /** Float32 scale and shift for x [m, c]: both [batch, c], a row for each of {@code batch} equal runs of rows. */
    public static void modulation(String operation, Tensor x, Tensor scale, Tensor shift) {
        float32(operation, scale, shift);
        equalRows(operation, scale, shift);
        if (scale.cols() != x.cols() || scale.rows() < 1 || x.rows() % scale.rows() != 0) {
            throw mismatch(operation, "a row of scale for each of equal runs of rows", x, scale);
        }
    }

    /** Whether it has a type that activations have on some device: float32, or 16 bits for operands of products. */
    public static boolean isActivation(Tensor tensor) {
        return switch (tensor.type()) {
            case F32, BF16, F16 -> true;
            default -> false;
        };
    }

    /** All have a type that activations have on some device. */
    public static void activations(String operation, Tensor... tensors) {
        for (Tensor tensor : tensors) {
            if (!isActivation(tensor)) {
                throw new IllegalArgumentException(operation + " needs float32 or 16 bits, got " + tensor);
            }
        }
    }

    /** All have a type that activations have on the CPU. */
    public static void float32OrBf16(String operation, Tensor... tensors) {
        for (Tensor tensor : tensors) {
            if (tensor.type() != DType.F32 && tensor.type() != DType.BF16) {
                throw new IllegalArgumentException(operation + " needs float32 or bfloat16, got " + tensor);
            }
        }
    }

    /** All are float32; nulls are passed over. */
    public static void float32(String operation, Tensor... tensors) {
        for (Tensor tensor : tensors) {
            if (tensor != null && tensor.type() != DType.F32) {
                throw new IllegalArgumentException(operation + " needs float32, got " + tensor);
            }
        }
    }

    /** Height and width of one image are twice those of the other, or one less; as many of both. */
    public static void doubled(String operation, Tensor x, Tensor out) {
        boolean fits = out.shape().dim(0) == x.shape().dim(0);
        for (int i = 1; i <= 2; i++) {
            fits &= Math.ceilDiv(out.shape().dim(i), 2) == x.shape().dim(i);
        }
        if (!fits) {
            throw mismatch(operation, "twice the height and width in out, or one less,", x, out);
        }
    }

    /** Both are activations of rank 4. */
    public static void images(String operation, Tensor a, Tensor b) {
        activations(operation, a, b);
        if (a.shape().rank() != 4 || b.shape().rank() != 4) {
            throw mismatch(operation, "four dimensions", a, b);
        }
    }
}
