package jdiffusion.kernels.cuda;

import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.DeviceException;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.MemoryCount;
import jdiffusion.kernels.MemoryModel;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.WorkClock;
import jdiffusion.kernels.WorkCount;
import jdiffusion.kernels.attention.AttentionLook;
import jdiffusion.kernels.attention.AttentionShape;
import jdiffusion.kernels.attention.AttentionStream;
import jdiffusion.kernels.attention.CudaAttention;
import jdiffusion.kernels.conv2d.Conv2dShape;
import jdiffusion.kernels.conv2d.CudaConv2d;
import jdiffusion.kernels.conv2d.CudnnConv2d;
import jdiffusion.kernels.conv2d.NormedConv2d;
import jdiffusion.kernels.conv2d.UpsampledConv2d;
import jdiffusion.kernels.elementwise.CudaElementwise;
import jdiffusion.kernels.embedding.CudaEmbedding;
import jdiffusion.kernels.groupnorm.CudaGroupNorm;
import jdiffusion.kernels.groupnorm.GroupNormCall;
import jdiffusion.kernels.join.CudaJoin;
import jdiffusion.kernels.layernorm.CudaLayerNorm;
import jdiffusion.kernels.layout.CudaLayout;
import jdiffusion.kernels.linear.CublasLinear;
import jdiffusion.kernels.linear.CudaGatedLinear;
import jdiffusion.kernels.linear.CudaLinear;
import jdiffusion.kernels.linear.LinearCall;
import jdiffusion.kernels.modulate.CudaModulate;
import jdiffusion.kernels.patchify.CudaPatchify;
import jdiffusion.kernels.rmsnorm.CudaRmsNorm;
import jdiffusion.kernels.upsample.CudaUpsample;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Placement;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;
import jdiffusion.tensor.Workspace;

/** NVIDIA cards from compute capability 8.0 on. Each operation is in the package of its kernel. */
public final class CudaBackend implements Backend {
    /** Of values that overflow float16. */
    public static final DType WIDE_OPERANDS = DType.BF16;

    private final Cuda cuda;
    private final Precision precision;
    private final String libraries;
    /** Folder of changed kernels; null for none. */
    private final Path kernels;
    private final CudaTransfer transfer;
    private final WorkCount work = new WorkCount();
    private final CudaLinear linear;
    private final CudaGatedLinear gatedLinear;
    private final CublasLinear cublas;
    private final CudaConv2d conv2d;
    private final CudnnConv2d cudnn;
    private final CudaAttention attention;
    private final CudaLayerNorm layerNorm;
    private final CudaModulate modulate;
    private final CudaRmsNorm rmsNorm;
    private final CudaGroupNorm groupNorm;
    private final CudaUpsample upsample;
    private final CudaPatchify patchify;
    private final CudaLayout layout;
    private final CudaJoin join;
    private final CudaEmbedding embedding;
    private final CudaElementwise elementwise;
    private final CudaClock clock;

    private CudaBackend(Cuda cuda, CudaOptions options) {
        this.cuda = cuda;
        this.precision = options.precision();
        this.kernels = options.kernels();
        this.libraries = (options.cublas() ? ", cublas" : "") + (options.cudnn() ? ", cudnn" : "")
                + (options.kernels() != null ? ", kernels of " + options.kernels() : "");
        transfer = new CudaTransfer(cuda);
        linear = new CudaLinear(cuda, precision == Precision.FP8);
        gatedLinear = new CudaGatedLinear(cuda, linear);
        cublas = options.cublas() ? new CublasLinear(cuda) : null;
        conv2d = new CudaConv2d(cuda);
        cudnn = options.cudnn() ? new CudnnConv2d(cuda) : null;
        attention = new CudaAttention(cuda);
        layerNorm = new CudaLayerNorm(cuda);
        modulate = new CudaModulate(cuda);
        rmsNorm = new CudaRmsNorm(cuda);
        groupNorm = new CudaGroupNorm(cuda);
        upsample = new CudaUpsample(cuda);
        patchify = new CudaPatchify(cuda);
        layout = new CudaLayout(cuda);
        join = new CudaJoin(cuda);
        embedding = new CudaEmbedding(cuda, transfer);
        elementwise = new CudaElementwise(cuda);
        clock = new CudaClock(cuda);
    }

    /** Opens a device, or fails in one line that says why it cannot be used. */
    public static CudaBackend open(CudaOptions options) {
        if (options.precision() == Precision.FP8 && options.cublas()) {
            throw new InputException("--gemm cublas multiplies in bf16 or f16; use --gemm own with --precision fp8");
        }
        KernelSource source = options.kernels() == null ? KernelSource.BUILT_IN
                : KernelSource.folder(options.kernels());
        Cuda cuda = Cuda.open(options.ordinal(), options.label(), source, operands(options.precision()),
                options.lastWords());
        try {
            if (options.precision() == Precision.FP8) {
                cuda.requireFloat8();
            }
            return new CudaBackend(cuda, options);
        } catch (RuntimeException | Error e) {
            cuda.close();
            throw e;
        }
    }

    /** Page-locked memory of the host that a device's copies take at the most, once they are many. */
    public static long pinnedBytes() {
        return Staging.BUFFERS * Staging.BUFFER_BYTES;
    }

    /** The type in which tensor cores read the inputs of products. */
    public static DType operands(Precision precision) {
        return switch (precision) {
            case BF16, FP8 -> DType.BF16;
            case F16 -> DType.F16;
            case F32, BF16X2, BF16X3 -> throw new IllegalArgumentException(
                    "CUDA devices compute products in BF16 or F16, not " + precision);
        };
    }

    /** Why changed kernel sources cannot be compiled here; null when they can. */
    public static String compilerObstacle() {
        try {
            CuCompiler.find();
            return null;
        } catch (DeviceException e) {
            return e.getMessage();
        }
    }

    @Override
    public String describe() {
        return cuda.label() + ", " + cuda.name() + ", " + precision.name().toLowerCase(Locale.ROOT)
                + (cuda.capability().equals("9.0") ? ", " + cuda.kernelsFor() : "") + libraries;
    }

    /** Names of the kernels that were used so far, in alphabetical order. */
    public List<String> kernelNames() {
        return cuda.kernelNames();
    }

    /** Where in the sources these kernels come from. */
    public KernelPlaces kernelPlaces() {
        return cuda.places();
    }

    /** The device's name as its driver gives it. */
    public String name() {
        return cuda.name();
    }

    /** By compute capability, and whether the device is the emulated one, whose approximations are its own. */
    @Override
    public String arithmetic() {
        return "cuda " + cuda.capability() + (cuda.name().contains("emulated") ? " emulated, " : ", ")
                + precision.name().toLowerCase(Locale.ROOT) + (cublas == null ? "" : ", cublas")
                + (cudnn == null ? "" : ", cudnn")
                + (kernels == null ? "" : ", kernels " + KernelSource.fingerprint(kernels));
    }

    @Override
    public Precision precision() {
        return precision;
    }

    /** Bytes of the device's memory that nobody has taken. */
    public long freeBytes() {
        return cuda.freeBytes();
    }

    /** Kernels launched so far. */
    public long launches() {
        return cuda.launches();
    }

    @Override
    public Workspace newWorkspace(long bytes) {
        return cuda.memory().workspace(bytes, address -> cuda.clear(address, bytes), cuda.operandType(),
                WIDE_OPERANDS);
    }

    @Override
    public Placement newPlacement(Placement.Size size) {
        return DevicePlacement.of(size, cuda.memory(), new CudaTransfers(cuda, size.streams()),
                cuda.operandType());
    }

    @Override
    public MemoryModel memoryModel() {
        return new MemoryModel(precision, true, operands(precision));
    }

    @Override
    public MemoryCount memory() {
        return cuda.memory().count();
    }

    @Override
    public WorkCount work() {
        return work;
    }

    @Override
    public WorkClock clock() {
        return clock;
    }

    @Override
    public void finish() {
        cuda.synchronize();
    }

    @Override
    public void upload(float[] values, Tensor to) {
        transfer.upload(values, to);
    }

    @Override
    public void upload(int[] values, Tensor to) {
        transfer.upload(values, to);
    }

    @Override
    public void download(Tensor from, float[] to) {
        transfer.download(from, to);
    }

    @Override
    public void linear(List<LinearCall> calls) {
        work.addLinear(LinearCall.flops(calls));
        if (cublas != null) {
            cublas.run(calls);
        } else {
            linear.run(calls);
        }
    }

    @Override
    public void gatedLinear(Tensor x, Weight w, Tensor bias, Activation activation, Tensor out) {
        work.addLinear(2L * x.rows() * w.rows() * w.cols());
        if (cublas != null) {
            cublas.run(LinearCall.gated(x, w, bias, activation, out));
        } else {
            gatedLinear.run(x, w, bias, activation, out);
        }
    }

    @Override
    public void attention(AttentionShape shape, List<AttentionStream> streams, Tensor relativeBias) {
        work.addAttention(shape.flops(streams));
        attention.run(shape, streams, relativeBias);
    }

    @Override
    public long lookAtAttention(AttentionShape shape, List<AttentionStream> streams, AttentionLook look) {
        long again = look.flops(shape, streams);
        work.addAttention(shape.flops(streams) + again);
        attention.lookAt(shape, streams, look);
        return again;
    }

    @Override
    public void layerNorm(Tensor x, Tensor weight, Tensor bias, Tensor scale, Tensor shift, float eps, Tensor out) {
        layerNorm.run(x, weight, bias, scale, shift, eps, out);
    }

    @Override
    public void layerNormTwice(Tensor x, Tensor scale1, Tensor shift1, Tensor out1, Tensor scale2, Tensor shift2,
                               Tensor out2, float eps) {
        layerNorm.run2(x, scale1, shift1, out1, scale2, shift2, out2, eps);
    }

    @Override
    public void modulate(Tensor x, Tensor scale, Tensor shift, Tensor out) {
        modulate.run(x, scale, shift, out);
    }

    @Override
    public void rmsNorm(Tensor x, Tensor weight, float eps, Tensor out) {
        rmsNorm.run(x, weight, eps, out);
    }

    @Override
    public void groupNorm(Tensor x, int groups, Tensor weight, Tensor bias, float eps, Activation activation,
                          Tensor out) {
        groupNorm.run(x, groups, weight, bias, eps, activation, out);
    }

    @Override
    public void conv2d(Conv2dShape shape, Tensor x, Tensor weight, Tensor bias, Epilogue epilogue, Tensor out) {
        work.addConvolution(shape.flops());
        if (cudnn != null) {
            cudnn.run(shape, x, weight, bias, epilogue, out);
        } else {
            conv2d.run(shape, x, weight, bias, epilogue, out);
        }
    }

    @Override
    public void normedConv2d(GroupNormCall norm, Conv2dShape shape, Tensor x, Tensor weight, Tensor bias,
                             Epilogue epilogue, Tensor out, Workspace workspace) {
        NormedConv2d.inTwoSteps(this, norm, shape, x, weight, bias, epilogue, out, workspace);
    }

    @Override
    public void upsampledConv2d(Tensor x, Tensor weight, Tensor bias, Tensor out, Workspace workspace) {
        UpsampledConv2d.inTwoSteps(this, x, weight, bias, out, workspace);
    }

    @Override
    public void upsampleNearest(Tensor x, Tensor out) {
        upsample.run(x, out);
    }

    @Override
    public void patchify(Tensor x, int patch, Tensor out) {
        patchify.patchify(x, patch, out);
    }

    @Override
    public void unpatchify(Tensor x, int patch, Tensor out) {
        patchify.unpatchify(x, patch, out);
    }

    @Override
    public void channelsLast(Tensor x, Tensor out) {
        layout.channelsLast(x, out);
    }

    @Override
    public void channelsFirst(Tensor x, Tensor out) {
        layout.channelsFirst(x, out);
    }

    @Override
    public void joinChannels(Tensor a, Tensor b, Tensor out) {
        join.run(a, b, out);
    }

    @Override
    public void embedding(Tensor ids, Tensor table, boolean add, Tensor out) {
        embedding.embedding(ids, table, add, out);
    }

    @Override
    public void timestepEmbedding(Tensor t, Tensor out) {
        embedding.timestepEmbedding(t, out);
    }

    @Override
    public void activate(Activation activation, Tensor x, Tensor out) {
        elementwise.activate(activation, x, out);
    }

    @Override
    public void gatedActivate(Activation activation, Tensor x, Tensor y, Tensor out) {
        elementwise.gatedActivate(activation, x, y, out);
    }

    @Override
    public void combine(float[] factors, List<Tensor> terms, Tensor out) {
        elementwise.combine(factors, terms, out);
    }

    @Override
    public void blend(Tensor mask, Tensor a, Tensor b, Tensor out) {
        elementwise.blend(mask, a, b, out);
    }

    @Override
    public void close() {
        try (cuda; cudnn; cublas; clock) {
            // Closed from right to left, each also when another fails; null ones are passed over.
        }
    }
}
