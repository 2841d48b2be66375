package jdiffusion.kernels.linear;

import java.util.function.Supplier;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.cuda.Cuda;
import jdiffusion.kernels.cuda.KernelArgs;
import jdiffusion.kernels.cuda.TypeCode;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;

/** What follows a product that a library computed: bias, activation and how it meets the output. */
public final class CudaEpilogue {
    /** Elements of a block, as {@code epilogue.cu} has them. */
    private static final int PER_BLOCK = 1024;
    private static final int THREADS = 256;

    private final Cuda cuda;

    public CudaEpilogue(Cuda cuda) {
        this.cuda = cuda;
    }

    /**
     * out = epilogue(y + bias).
     *
     * @param y     address of [rows, cols] of out, without gaps between rows
     * @param yType its type
     * @param bias  [cols] or [batch, cols] of any stored floating-point type, or null
     * @param out   of a type that activations have
     */
    public void run(Supplier<String> what, long y, DType yType, Tensor bias, Epilogue epilogue, Tensor out) {
        long blocks = Math.ceilDiv(out.shape().size(), PER_BLOCK);
        KernelArgs args = cuda.args().pointer(y).int32(TypeCode.of(yType));
        GemmArgs.output(args, bias, epilogue, out, 0, 0);
        cuda.kernel("linear/epilogue", "epilogue").launch(what, Math.toIntExact(blocks), 1, 1, THREADS, 0, args);
    }
}
