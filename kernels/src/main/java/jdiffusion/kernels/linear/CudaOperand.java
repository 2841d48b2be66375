package jdiffusion.kernels.linear;

import java.util.function.Supplier;
import jdiffusion.kernels.cuda.Cuda;
import jdiffusion.kernels.cuda.TypeCode;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;

/** Copies operands into the type and layout that a library takes. */
public final class CudaOperand {
    /** Elements of a block, as {@code operand.cu} has them. */
    private static final int PER_BLOCK = 1024;
    private static final int THREADS = 256;

    private final Cuda cuda;

    public CudaOperand(Cuda cuda) {
        this.cuda = cuda;
    }

    /** A matrix of any floating-point type, its gaps between rows closed, rounded to the type. */
    public void matrix(Supplier<String> what, Tensor from, long to, DType type) {
        copy(what, from, 1, 1, from.rows(), 0, 0, to, type);
    }

    /**
     * Images [batch, height, width, c] into [batch, low + height + high, low + width + high, c], zeros around them.
     *
     * @param low  zeros before the first row and column
     * @param high zeros after the last row and column
     */
    public void images(Supplier<String> what, Tensor from, int low, int high, long to, DType type) {
        int[] dims = from.shape().dims();
        copy(what, from, dims[0], dims[1], dims[2], low, high, to, type);
    }

    private void copy(Supplier<String> what, Tensor from, int images, int height, int width, int low, int high,
                      long to, DType type) {
        int toHeight = low + height + high;
        int toWidth = low + width + high;
        long size = (long) images * toHeight * toWidth * from.cols();
        cuda.kernel("linear/operand", "operand").launch(what, Math.toIntExact(Math.ceilDiv(size, PER_BLOCK)), 1, 1,
                THREADS, 0, cuda.args().pointer(from).pointer(to).int64(size).int32(from.cols())
                        .int32(TypeCode.of(from)).int32(TypeCode.of(type)).int32(from.rowStride()).int32(toHeight)
                        .int32(toWidth).int32(low).int32(height).int32(width).align(8));
    }
}
