package jdiffusion.kernels.counting;

import java.util.List;
import java.util.Locale;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.MemoryCount;
import jdiffusion.kernels.MemoryModel;
import jdiffusion.kernels.Operands;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.WorkCount;
import jdiffusion.kernels.attention.AttentionLook;
import jdiffusion.kernels.attention.AttentionShape;
import jdiffusion.kernels.attention.AttentionStream;
import jdiffusion.kernels.conv2d.Conv2dShape;
import jdiffusion.kernels.conv2d.NormedConv2d;
import jdiffusion.kernels.conv2d.UpsampledConv2d;
import jdiffusion.kernels.cuda.CudaBackend;
import jdiffusion.kernels.cuda.DeviceMemory;
import jdiffusion.kernels.cuda.DevicePlacement;
import jdiffusion.kernels.groupnorm.CudaGroupNorm;
import jdiffusion.kernels.groupnorm.GroupNormCall;
import jdiffusion.kernels.linear.CudaGatedLinear;
import jdiffusion.kernels.linear.CudaLinear;
import jdiffusion.kernels.linear.LinearCall;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Placement;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Unreadable;
import jdiffusion.tensor.Weight;
import jdiffusion.tensor.Workspace;

/**
 * Stands in for a device of which nothing is wanted but the memory that it would take. Nothing is computed, tensors
 * have no memory behind them, and a download gives zeros. What it counts is what the device's own allocator would be
 * asked for, since both go through the same code; the context and the kernels' modules, which the driver keeps, and
 * what {@code --gemm cublas} and {@code --conv cudnn} take, are not counted.
 */
public final class CountingBackend implements Backend {
    private final Precision precision;
    private final DType operandType;
    private final DType wideOperandType;
    /** Null for the CPU. */
    private final DeviceMemory device;
    private final MemoryCount count;
    private final WorkCount work = new WorkCount();

    private CountingBackend(Precision precision, DType operandType, DType wideOperandType, DeviceMemory device) {
        this.precision = precision;
        this.operandType = operandType;
        this.wideOperandType = wideOperandType;
        this.device = device;
        this.count = device == null ? new MemoryCount() : device.count();
    }

    /** In the place of a backend. */
    public static CountingBackend of(Backend backend) {
        MemoryModel model = backend.memoryModel();
        return model.device() ? ofCuda(model.precision()) : ofCpu(model.precision(), model.operands());
    }

    /**
     * In the place of a CPU, where weights stay mapped.
     *
     * @param operandType float32 or bfloat16
     */
    public static CountingBackend ofCpu(Precision precision, DType operandType) {
        return new CountingBackend(precision, operandType, DType.F32, null);
    }

    /** In the place of a CUDA device whose products read BF16 or F16. */
    public static CountingBackend ofCuda(Precision precision) {
        return new CountingBackend(precision, CudaBackend.operands(precision), CudaBackend.WIDE_OPERANDS,
                DeviceMemory.counting());
    }

    /** Whether weights have to be brought to a memory of the device's own. */
    public boolean isDevice() {
        return device != null;
    }

    /** Page-locked memory of the host that copies to the device take at the most. */
    public long pinnedBytes() {
        return isDevice() ? CudaBackend.pinnedBytes() : 0;
    }

    /** A workspace without end, to find out how large one must be. */
    public Workspace measuringWorkspace() {
        return Workspace.counting(operandType, wideOperandType);
    }

    /**
     * A placement that takes no memory, to find out how large one must be.
     *
     * @param streaming whether blocks of layers pass through two slots
     */
    public Placement measuringPlacement(boolean streaming) {
        return device == null ? Placement.onHost() : DevicePlacement.measuring(streaming, device, operandType);
    }

    @Override
    public String describe() {
        return (isDevice() ? "cuda, " : "cpu, ") + precision.name().toLowerCase(Locale.ROOT);
    }

    /** Nothing is computed here. */
    @Override
    public String arithmetic() {
        return "counting";
    }

    @Override
    public Precision precision() {
        return precision;
    }

    @Override
    public Workspace newWorkspace(long bytes) {
        if (device != null) {
            return device.workspace(bytes, _ -> { }, operandType, wideOperandType);
        }
        count.add(bytes);
        return new Workspace(Unreadable.at(0, bytes), () -> count.remove(bytes), operandType, wideOperandType);
    }

    @Override
    public Placement newPlacement(Placement.Size size) {
        return device == null ? Placement.onHost()
                : DevicePlacement.of(size, device, DevicePlacement.Transfers.NONE, operandType);
    }

    @Override
    public MemoryModel memoryModel() {
        return new MemoryModel(precision, isDevice(), operandType);
    }

    @Override
    public MemoryCount memory() {
        return count;
    }

    /** Stays at 0. */
    @Override
    public WorkCount work() {
        return work;
    }

    @Override
    public void upload(float[] values, Tensor to) {
        size("upload", values.length, to);
    }

    @Override
    public void upload(int[] values, Tensor to) {
        size("upload", values.length, to);
    }

    private static void size(String operation, int values, Tensor to) {
        if (values != to.shape().size()) {
            throw new IllegalArgumentException(operation + ": " + values + " values into " + to);
        }
    }

    @Override
    public void download(Tensor from, float[] to) {
        size("download", to.length, from);
    }

    @Override
    public void linear(List<LinearCall> calls) {
        long bytes = device == null ? 0 : CudaLinear.scratchBytes(calls, operandType, precision == Precision.FP8);
        if (bytes > 0) {
            device.scratch(bytes);
        }
    }

    @Override
    public void gatedLinear(Tensor x, Weight w, Tensor bias, Activation activation, Tensor out) {
        long bytes = device == null ? 0 : CudaGatedLinear.scratchBytes(x, w, bias, activation, out, operandType,
                precision == Precision.FP8);
        if (bytes > 0) {
            device.scratch(bytes);
        }
    }

    @Override
    public void attention(AttentionShape shape, List<AttentionStream> streams, Tensor relativeBias) {
        // Needs no memory of its own.
    }

    @Override
    public long lookAtAttention(AttentionShape shape, List<AttentionStream> streams, AttentionLook look) {
        // Needs no memory of its own.
        return look.flops(shape, streams);
    }

    @Override
    public void layerNorm(Tensor x, Tensor weight, Tensor bias, Tensor scale, Tensor shift, float eps, Tensor out) {
        Operands.equalRows("layerNorm", x, out);
    }

    @Override
    public void modulate(Tensor x, Tensor scale, Tensor shift, Tensor out) {
        Operands.equalRows("modulate", x, out);
    }

    @Override
    public void rmsNorm(Tensor x, Tensor weight, float eps, Tensor out) {
        Operands.equalRows("rmsNorm", x, out);
    }

    @Override
    public void groupNorm(Tensor x, int groups, Tensor weight, Tensor bias, float eps, Activation activation,
                          Tensor out) {
        Operands.equalShapes("groupNorm", x, out);
        if (device != null) {
            device.scratch(CudaGroupNorm.scratchBytes(x, groups, weight, bias, out));
        }
    }

    @Override
    public void conv2d(Conv2dShape shape, Tensor x, Tensor weight, Tensor bias, Epilogue epilogue, Tensor out) {
        shape.check(x, weight, bias, epilogue, out);
    }

    @Override
    public void normedConv2d(GroupNormCall norm, Conv2dShape shape, Tensor x, Tensor weight, Tensor bias,
                             Epilogue epilogue, Tensor out, Workspace workspace) {
        if (device == null) {
            shape.check(x, weight, bias, epilogue, out);
        } else {
            NormedConv2d.inTwoSteps(this, norm, shape, x, weight, bias, epilogue, out, workspace);
        }
    }

    @Override
    public void upsampledConv2d(Tensor x, Tensor weight, Tensor bias, Tensor out, Workspace workspace) {
        if (device == null && UpsampledConv2d.isWhole(x, out)) {
            UpsampledConv2d.shape(x, weight, bias, out);
        } else {
            UpsampledConv2d.inTwoSteps(this, x, weight, bias, out, workspace);
        }
    }

    @Override
    public void upsampleNearest(Tensor x, Tensor out) {
        Operands.images("upsampleNearest", x, out);
    }

    @Override
    public void patchify(Tensor x, int patch, Tensor out) {
        Operands.activations("patchify", x, out);
    }

    @Override
    public void unpatchify(Tensor x, int patch, Tensor out) {
        Operands.activations("unpatchify", x, out);
    }

    @Override
    public void channelsLast(Tensor x, Tensor out) {
        Operands.images("channelsLast", x, out);
    }

    @Override
    public void channelsFirst(Tensor x, Tensor out) {
        Operands.images("channelsFirst", x, out);
    }

    @Override
    public void joinChannels(Tensor a, Tensor b, Tensor out) {
        Operands.activations("joinChannels", a, b, out);
    }

    @Override
    public void embedding(Tensor ids, Tensor table, boolean add, Tensor out) {
        Operands.activations("embedding", out);
    }

    @Override
    public void timestepEmbedding(Tensor t, Tensor out) {
        Operands.activations("timestepEmbedding", t, out);
    }

    @Override
    public void activate(Activation activation, Tensor x, Tensor out) {
        Operands.equalShapes("activate", x, out);
    }

    @Override
    public void gatedActivate(Activation activation, Tensor x, Tensor y, Tensor out) {
        Operands.equalShapes("gatedActivate", x, out);
        Operands.equalShapes("gatedActivate", y, out);
    }

    @Override
    public void combine(float[] factors, List<Tensor> terms, Tensor out) {
        terms.forEach(term -> Operands.equalShapes("combine", term, out));
    }

    @Override
    public void blend(Tensor mask, Tensor a, Tensor b, Tensor out) {
        Operands.equalShapes("blend", a, out);
        Operands.equalShapes("blend", b, out);
        Operands.equalShapes("blend", mask, out);
    }

    @Override
    public void close() {
        // Holds nothing.
    }
}
