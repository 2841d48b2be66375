package jdiffusion.kernels.conv2d;

import static jcuda.jcudnn.cudnnConvolutionFwdAlgo.CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM;
import static jcuda.jcudnn.cudnnConvolutionMode.CUDNN_CROSS_CORRELATION;
import static jcuda.jcudnn.cudnnDataType.CUDNN_DATA_BFLOAT16;
import static jcuda.jcudnn.cudnnDataType.CUDNN_DATA_FLOAT;
import static jcuda.jcudnn.cudnnMathType.CUDNN_TENSOR_OP_MATH;
import static jcuda.jcudnn.cudnnTensorFormat.CUDNN_TENSOR_NHWC;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import jcuda.CudaException;
import jcuda.Pointer;
import jcuda.jcudnn.JCudnn;
import jcuda.jcudnn.cudnnConvolutionDescriptor;
import jcuda.jcudnn.cudnnFilterDescriptor;
import jcuda.jcudnn.cudnnHandle;
import jcuda.jcudnn.cudnnTensorDescriptor;
import jcuda.runtime.cudaStream_t;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.cuda.Cuda;
import jdiffusion.kernels.cuda.OptionalLibrary;
import jdiffusion.kernels.linear.CudaEpilogue;
import jdiffusion.kernels.linear.CudaOperand;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;

/**
 * Convolution by cuDNN: {@code --conv cudnn}. The result goes to scratch memory, and a kernel of ours makes the output
 * of it. cuDNN stores what it computes from bfloat16 as bfloat16, so float32 outputs are rounded once more than by our
 * own kernel. It pads both sides alike, and wants no gaps between pixels: other inputs are copied before.
 */
public final class CudnnConv2d implements AutoCloseable {
    private static final OptionalLibrary LIBRARY = new OptionalLibrary("--conv cudnn", "--conv own",
            "install cuDNN 9 for CUDA 12", JCudnn::initialize);
    private static final long ALIGNMENT = 256;

    private final Cuda cuda;
    private final CudaOperand operand;
    private final CudaEpilogue epilogue;
    private final Pointer one = Pointer.to(new float[] {1});
    private final Pointer zero = Pointer.to(new float[] {0});
    private final Map<Conv2dShape, Plan> plans = new HashMap<>();
    private cudnnHandle handle;

    /**
     * What cuDNN wants to know of a convolution.
     *
     * @param releases give the descriptors back
     */
    private record Plan(cudnnTensorDescriptor x, cudnnFilterDescriptor weight, cudnnConvolutionDescriptor convolution,
                        cudnnTensorDescriptor y, long workspaceBytes, List<Runnable> releases) {
        void release() {
            releases.forEach(Runnable::run);
        }
    }

    /** Fails when cuDNN is not here. */
    public CudnnConv2d(Cuda cuda) {
        LIBRARY.require();
        this.cuda = cuda;
        operand = new CudaOperand(cuda);
        epilogue = new CudaEpilogue(cuda);
    }

    /** Why cuDNN cannot be used, in one line; null when it can. The first question loads it. */
    public static String obstacle() {
        return LIBRARY.obstacle();
    }

    /**
     * Convolution of x [batch, h, w, cin] with weight [cout, cin, kh, kw] into out [batch, oh, ow, cout].
     *
     * @param weight   bfloat16, in memory [cout, kh, kw, cin]
     * @param bias     [cout] or [batch, cout] of any stored floating-point type, or null
     * @param epilogue STORE or ADD without a gate
     */
    public void run(Conv2dShape shape, Tensor x, Tensor weight, Tensor bias, Epilogue epilogue, Tensor out) {
        shape.check(x, weight, bias, epilogue, out);
        if (weight.type() != DType.BF16) {
            throw new IllegalArgumentException("conv2d by cuDNN needs weights of BF16, got " + weight);
        }
        Supplier<String> what = () -> shape + " by cuDNN";
        Conv2dShape even = evenlyPadded(shape);
        Plan plan = plan(what, even);
        boolean copied = even != shape || x.type() != DType.BF16 || !x.isContiguous();
        long xBytes = copied ? aligned(bytes(even.batch(), even.height(), even.width(), even.cin())) : 0;
        long yBytes = aligned(bytes(even.batch(), even.outHeight(), even.outWidth(), even.cout()));
        long y = cuda.scratch(yBytes + xBytes + plan.workspaceBytes());
        long from = x.data().address();
        if (copied) {
            from = y + yBytes;
            int low = shape.padLow() - even.padLow();
            operand.images(what, x, low, shape.padHigh() - even.padHigh(), from, DType.BF16);
        }
        Pointer input = Cuda.pointer(from);
        Pointer workspace = Cuda.pointer(y + yBytes + xBytes);
        cuda.queue(what, _ -> check(JCudnn.cudnnConvolutionForward(handle, one, plan.x(), input, plan.weight(),
                Cuda.pointer(weight.data().address()), plan.convolution(),
                CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, workspace, plan.workspaceBytes(), zero, plan.y(),
                Cuda.pointer(y))));
        this.epilogue.run(what, y, DType.BF16, bias, epilogue, out);
    }

    /** The same convolution of an input that has its zeros already, where cuDNN cannot add them. */
    private static Conv2dShape evenlyPadded(Conv2dShape s) {
        if (s.padLow() == s.padHigh()) {
            return s;
        }
        int zeros = s.padLow() + s.padHigh();
        return new Conv2dShape(s.batch(), s.height() + zeros, s.width() + zeros, s.cin(), s.cout(), s.kernel(),
                s.stride(), 0, 0);
    }

    private Plan plan(Supplier<String> what, Conv2dShape shape) {
        Plan known = plans.get(shape);
        if (known != null) {
            return known;
        }
        cuda.queue(what, stream -> {
            if (handle == null) {
                cudnnHandle created = new cudnnHandle();
                check(JCudnn.cudnnCreate(created));
                releasedOnFailure(List.of(() -> JCudnn.cudnnDestroy(created)),
                        () -> check(JCudnn.cudnnSetStream(created, new cudaStream_t(stream))));
                handle = created;
            }
            plans.put(shape, newPlan(shape));
        });
        return plans.get(shape);
    }

    private Plan newPlan(Conv2dShape s) {
        List<Runnable> releases = new ArrayList<>();
        cudnnTensorDescriptor x = new cudnnTensorDescriptor();
        cudnnFilterDescriptor weight = new cudnnFilterDescriptor();
        cudnnConvolutionDescriptor convolution = new cudnnConvolutionDescriptor();
        cudnnTensorDescriptor y = new cudnnTensorDescriptor();
        long[] bytes = new long[1];
        releasedOnFailure(releases, () -> {
            describe(x, s.batch(), s.cin(), s.height(), s.width(), releases);
            check(JCudnn.cudnnCreateFilterDescriptor(weight));
            releases.add(() -> JCudnn.cudnnDestroyFilterDescriptor(weight));
            check(JCudnn.cudnnSetFilter4dDescriptor(weight, CUDNN_DATA_BFLOAT16, CUDNN_TENSOR_NHWC, s.cout(), s.cin(),
                    s.kernel(), s.kernel()));
            check(JCudnn.cudnnCreateConvolutionDescriptor(convolution));
            releases.add(() -> JCudnn.cudnnDestroyConvolutionDescriptor(convolution));
            check(JCudnn.cudnnSetConvolution2dDescriptor(convolution, s.padLow(), s.padLow(), s.stride(), s.stride(),
                    1, 1, CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT));
            check(JCudnn.cudnnSetConvolutionMathType(convolution, CUDNN_TENSOR_OP_MATH));
            describe(y, s.batch(), s.cout(), s.outHeight(), s.outWidth(), releases);
            check(JCudnn.cudnnGetConvolutionForwardWorkspaceSize(handle, x, weight, convolution, y,
                    CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, bytes));
        });
        return new Plan(x, weight, convolution, y, bytes[0], releases);
    }

    private static void describe(cudnnTensorDescriptor tensor, int batch, int channels, int height, int width,
                                 List<Runnable> releases) {
        check(JCudnn.cudnnCreateTensorDescriptor(tensor));
        releases.add(() -> JCudnn.cudnnDestroyTensorDescriptor(tensor));
        check(JCudnn.cudnnSetTensor4dDescriptor(tensor, CUDNN_TENSOR_NHWC, CUDNN_DATA_BFLOAT16, batch, channels,
                height, width));
    }

    /** Does the work; when it fails, gives back what was made until then. */
    private static void releasedOnFailure(List<Runnable> releases, Runnable work) {
        try {
            work.run();
        } catch (CudaException e) {
            releases.forEach(Runnable::run);
            throw e;
        }
    }

    /** The bindings know the numbers of cuDNN 8 only; the library itself knows what its own mean. */
    private static void check(int status) {
        if (status != 0) {
            throw new CudaException(JCudnn.cudnnGetErrorString(status));
        }
    }

    private static long bytes(long batch, long height, long width, long channels) {
        return batch * height * width * channels * DType.BF16.bytes();
    }

    private static long aligned(long bytes) {
        return Math.ceilDiv(bytes, ALIGNMENT) * ALIGNMENT;
    }

    /** To be called before the device is closed. */
    @Override
    public void close() {
        if (handle == null) {
            return;
        }
        cudnnHandle last = handle;
        handle = null;
        cuda.queue(() -> "closing cuDNN", _ -> {
            plans.values().forEach(Plan::release);
            plans.clear();
            JCudnn.cudnnDestroy(last);
        });
    }
}
