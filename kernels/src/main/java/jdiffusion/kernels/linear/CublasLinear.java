package jdiffusion.kernels.linear;

import java.util.ArrayList;
import java.util.List;
import jcuda.CudaException;
import jcuda.Pointer;
import jcuda.cudaDataType;
import jcuda.jcublas.JCublas2;
import jcuda.jcublas.cublasComputeType;
import jcuda.jcublas.cublasGemmAlgo;
import jcuda.jcublas.cublasHandle;
import jcuda.jcublas.cublasOperation;
import jcuda.jcublas.cublasStatus;
import jcuda.runtime.cudaStream_t;
import jdiffusion.kernels.DeviceException;
import jdiffusion.kernels.cuda.Cuda;
import jdiffusion.kernels.cuda.OptionalLibrary;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.FourBitWeight;
import jdiffusion.tensor.Stretched;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;

/**
 * Linear layers by cuBLAS: {@code --gemm cublas}. Each product goes to scratch memory in float32, and a kernel of ours
 * makes the output of it. Operands of other types than the product's, which is x's where that has 16 bits, are
 * converted before every product. Quantised weights are refused.
 */
public final class CublasLinear implements AutoCloseable {
    private static final OptionalLibrary LIBRARY = new OptionalLibrary("--gemm cublas", "--gemm own",
            "install CUDA's cuBLAS 12", JCublas2::initialize);
    private static final long ALIGNMENT = 256;

    private final Cuda cuda;
    private final CudaOperand operand;
    private final CudaEpilogue epilogue;
    private final Pointer one = Pointer.to(new float[] {1});
    private final Pointer zero = Pointer.to(new float[] {0});
    private cublasHandle handle;

    /** Fails when cuBLAS is not here. */
    public CublasLinear(Cuda cuda) {
        LIBRARY.require();
        this.cuda = cuda;
        operand = new CudaOperand(cuda);
        epilogue = new CudaEpilogue(cuda);
    }

    /** Why cuBLAS cannot be used, in one line; null when it can. The first question loads it. */
    public static String obstacle() {
        return LIBRARY.obstacle();
    }

    /** See {@link jdiffusion.kernels.Backend#linear}; one after the other, so that one may read what others wrote. */
    public void run(List<LinearCall> calls) {
        calls.forEach(this::run);
    }

    private void run(LinearCall call) {
        if (call.m() == 0 || call.n() == 0) {
            return;
        }
        DType type = GemmArgs.productType(cuda.operandType(), call.x());
        List<Tensor> weights = new ArrayList<>();
        collect(call, call.w(), weights);
        long productBytes = aligned((long) call.m() * call.n() * Float.BYTES);
        long xBytes = call.x().type() == type ? 0 : aligned(call.x().shape().size() * type.bytes());
        long weightBytes = 0;
        for (Tensor weight : weights) {
            weightBytes = Math.max(weightBytes, weight.type() == type ? 0 : weight.shape().size() * type.bytes());
        }
        long product = cuda.scratch(productBytes + xBytes + weightBytes);
        long x = call.x().data().address();
        int xStride = call.x().rowStride();
        if (xBytes > 0) {
            x = product + productBytes;
            xStride = call.k();
            operand.matrix(call::toString, call.x(), x, type);
        }
        long column = product;
        for (Tensor weight : weights) {
            long w = weight.data().address();
            int wStride = weight.rowStride();
            if (weight.type() != type) {
                w = product + productBytes + xBytes;
                wStride = call.k();
                operand.matrix(call::toString, weight, w, type);
            }
            multiply(call, type, weight.rows(), w, wStride, x, xStride, column);
            column += (long) weight.rows() * Float.BYTES;
        }
        epilogue.run(call::toString, product, DType.F32, call.bias(), call.epilogue(), call.out());
    }

    /** The matrices that a weight joins, from top to bottom. */
    private static void collect(LinearCall call, Weight weight, List<Tensor> matrices) {
        switch (weight) {
            case Weight.Dense dense -> matrices.add(dense.tensor());
            case Weight.Rows joined -> joined.parts().forEach(part -> collect(call, part, matrices));
            case FourBitWeight _, Weight.Scaled _, Weight.Blocks _, Weight.Adapted _, Stretched _ ->
                throw new DeviceException("--gemm cublas: cuBLAS cannot read this checkpoint's quantised weights ("
                        + call + "); use --gemm own");
        }
    }

    /**
     * cuBLAS counts down columns: to it x is its transpose, and so are w and the product. So this is
     * product^T [n, m] = w [n, k] x^T [k, m].
     */
    private void multiply(LinearCall call, DType type, int rows, long w, int wStride, long x, int xStride,
                          long product) {
        int code = type == DType.BF16 ? cudaDataType.CUDA_R_16BF : cudaDataType.CUDA_R_16F;
        cuda.queue(() -> call + " by cuBLAS", stream -> {
            if (handle == null) {
                cublasHandle created = new cublasHandle();
                check(JCublas2.cublasCreate(created));
                handle = created;
                check(JCublas2.cublasSetStream(handle, new cudaStream_t(stream)));
            }
            check(JCublas2.cublasGemmEx_new(handle, cublasOperation.CUBLAS_OP_T, cublasOperation.CUBLAS_OP_N, rows,
                    call.m(), call.k(), one, Cuda.pointer(w), code, wStride, Cuda.pointer(x), code, xStride, zero,
                    Cuda.pointer(product), cudaDataType.CUDA_R_32F, call.n(), cublasComputeType.CUBLAS_COMPUTE_32F,
                    cublasGemmAlgo.CUBLAS_GEMM_DEFAULT));
        });
    }

    private static void check(int status) {
        if (status != cublasStatus.CUBLAS_STATUS_SUCCESS) {
            throw new CudaException(cublasStatus.stringFor(status));
        }
    }

    private static long aligned(long bytes) {
        return Math.ceilDiv(bytes, ALIGNMENT) * ALIGNMENT;
    }

    /** To be called before the device is closed. */
    @Override
    public void close() {
        if (handle != null) {
            cublasHandle last = handle;
            handle = null;
            cuda.queue(() -> "closing cuBLAS", _ -> JCublas2.cublasDestroy(last));
        }
    }
}
