package jdiffusion.kernels.linear;

import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Epilogue.Mode;
import jdiffusion.tensor.DType;

/**
 * Everything that a linear layer on a device may vary in.
 *
 * @param operand the device's operand type
 * @param bias    null for none
 * @param gate    rows of the gate, 0 for none
 * @param gaps    elements beside the rows of all tensors
 */
record LinearSample(LinearCase size, DType operand, DType x, DType bias, DType out, Activation activation, Mode mode,
                    int gate, int gaps) {
    static LinearSample of(LinearCase size) {
        return new LinearSample(size, DType.BF16, DType.BF16, size.type(), DType.F32, Activation.NONE, Mode.STORE, 0,
                0);
    }

    LinearSample operand(DType type) {
        return new LinearSample(size, type, x, bias, out, activation, mode, gate, gaps);
    }

    /** Type of the product: x's own where it has 16 bits. */
    DType product() {
        return x == DType.F32 ? operand : x;
    }

    LinearSample x(DType type) {
        return new LinearSample(size, operand, type, bias, out, activation, mode, gate, gaps);
    }

    LinearSample bias(DType typeOrNull) {
        return new LinearSample(size, operand, x, typeOrNull, out, activation, mode, gate, gaps);
    }

    LinearSample out(DType type) {
        return new LinearSample(size, operand, x, bias, type, activation, mode, gate, gaps);
    }

    LinearSample activation(Activation function) {
        return new LinearSample(size, operand, x, bias, out, function, mode, gate, gaps);
    }

    LinearSample mode(Mode how) {
        return new LinearSample(size, operand, x, bias, out, activation, how, gate, gaps);
    }

    LinearSample gate(int rows) {
        return new LinearSample(size, operand, x, bias, out, activation, mode, rows, gaps);
    }

    LinearSample gaps(int elements) {
        return new LinearSample(size, operand, x, bias, out, activation, mode, gate, elements);
    }
}
