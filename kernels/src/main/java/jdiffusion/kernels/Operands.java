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

    /** Both are float32 and of the same shape. */
    public static void equalShapes(String operation, Tensor a, Tensor b) {
        float32(operation, a);
        float32(operation, b);
        if (!a.shape().equals(b.shape())) {
            throw mismatch(operation, "equal shapes", a, b);
        }
    }

    /** Both are float32 with as many rows and channels, the outer dimensions flattened. */
    public static void equalRows(String operation, Tensor a, Tensor b) {
        float32(operation, a);
        float32(operation, b);
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

    /** Whether it has a type that activations have on some device: float32, or 16 bits for operands of products. */
    public static boolean isActivation(Tensor tensor) {
        return switch (tensor.type()) {
            case F32, BF16, F16 -> true;
            default -> false;
        };
    }

    public static void float32(String operation, Tensor tensor) {
        if (tensor.type() != DType.F32) {
            throw new IllegalArgumentException(operation + " needs float32, got " + tensor);
        }
    }

    /** Both are float32 of rank 4. */
    public static void images(String operation, Tensor a, Tensor b) {
        float32(operation, a);
        float32(operation, b);
        if (a.shape().rank() != 4 || b.shape().rank() != 4) {
            throw mismatch(operation, "four dimensions", a, b);
        }
    }
}
