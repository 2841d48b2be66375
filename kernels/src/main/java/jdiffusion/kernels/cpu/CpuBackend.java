package jdiffusion.kernels.cpu;

import java.util.List;
import java.util.Locale;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.MemoryCount;
import jdiffusion.kernels.MemoryModel;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.WorkCount;
import jdiffusion.kernels.attention.AttentionLook;
import jdiffusion.kernels.attention.AttentionShape;
import jdiffusion.kernels.attention.AttentionStream;
import jdiffusion.kernels.attention.CpuAttention;
import jdiffusion.kernels.conv2d.Conv2dShape;
import jdiffusion.kernels.conv2d.CpuConv2d;
import jdiffusion.kernels.conv2d.UpsampledConv2d;
import jdiffusion.kernels.elementwise.CpuElementwise;
import jdiffusion.kernels.embedding.CpuEmbedding;
import jdiffusion.kernels.groupnorm.CpuGroupNorm;
import jdiffusion.kernels.groupnorm.GroupNormCall;
import jdiffusion.kernels.join.CpuJoin;
import jdiffusion.kernels.layernorm.CpuLayerNorm;
import jdiffusion.kernels.layout.CpuLayout;
import jdiffusion.kernels.linear.CpuLinear;
import jdiffusion.kernels.linear.LinearCall;
import jdiffusion.kernels.machine.CpuLevel;
import jdiffusion.kernels.machine.MachinePairs;
import jdiffusion.kernels.machine.Pages;
import jdiffusion.kernels.modulate.CpuModulate;
import jdiffusion.kernels.patchify.CpuPatchify;
import jdiffusion.kernels.rmsnorm.CpuRmsNorm;
import jdiffusion.kernels.upsample.CpuUpsample;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Placement;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;
import jdiffusion.tensor.Workspace;

/**
 * The CPU on all cores: products in machine code where there is some for the CPU, all else with the Vector API. Each
 * operation is in the package of its kernel.
 */
public final class CpuBackend implements Backend {
    private final Cpu cpu;
    private final boolean float8;
    private final DType operandType;
    private final MemoryCount memory = new MemoryCount();
    private final WorkCount work = new WorkCount();
    private final CpuLinear linear;
    private final CpuConv2d conv2d;
    private final CpuAttention attention;
    private final CpuLayerNorm layerNorm;
    private final CpuModulate modulate;
    private final CpuRmsNorm rmsNorm;
    private final CpuGroupNorm groupNorm;
    private final CpuUpsample upsample;
    private final CpuPatchify patchify;
    private final CpuLayout layout;
    private final CpuJoin join;
    private final CpuEmbedding embedding;
    private final CpuElementwise elementwise;
    private boolean productsKnown;

    /** At the best level of this machine. */
    public CpuBackend(int threads, Precision precision) {
        this(threads, precision, null);
    }

    /**
     * @param threads   threads in all, at least 1; the caller's is one of them
     * @param precision any but F16; a split one only where products run at the level AMX; FP8 is F32 but for layers
     *                  whose weights are float8
     * @param level     one without an obstacle, or null for the best of this machine
     */
    public CpuBackend(int threads, Precision precision, CpuLevel level) {
        if (precision == Precision.F16) {
            throw new IllegalArgumentException("the CPU does not compute in F16; use F32, BF16 or FP8");
        }
        CpuLevel chosen = precision.isSplit() && level == null ? CpuLevel.best() : level;
        if (precision.isSplit() && chosen != CpuLevel.AMX) {
            throw new IllegalArgumentException(precision + " needs the level amx, not " + chosen.label());
        }
        if (level != null && level.obstacle() != null) {
            throw new IllegalArgumentException("CPU level " + level.label() + ": " + level.obstacle());
        }
        boolean float8 = precision == Precision.FP8;
        Precision usual = float8 ? Precision.F32 : precision;
        this(new Cpu(threads, usual, products(usual, level)), operandType(usual, level), float8);
    }

    CpuBackend(Cpu cpu, DType operandType) {
        this(cpu, operandType, false);
    }

    private CpuBackend(Cpu cpu, DType operandType, boolean float8) {
        this.cpu = cpu;
        this.operandType = operandType;
        this.float8 = float8;
        linear = new CpuLinear(cpu, float8);
        conv2d = new CpuConv2d(cpu);
        attention = new CpuAttention(cpu);
        layerNorm = new CpuLayerNorm(cpu);
        modulate = new CpuModulate(cpu);
        rmsNorm = new CpuRmsNorm(cpu);
        groupNorm = new CpuGroupNorm(cpu);
        upsample = new CpuUpsample(cpu);
        patchify = new CpuPatchify(cpu);
        layout = new CpuLayout(cpu);
        join = new CpuJoin(cpu);
        embedding = new CpuEmbedding(cpu);
        elementwise = new CpuElementwise(cpu);
    }

    /**
     * What a workspace's operands are: bfloat16 where products take them as they lie, else float32.
     *
     * @param level null for the best of this machine
     */
    public static DType operandType(Precision precision, CpuLevel level) {
        boolean words = precision == Precision.BF16 && MachinePairs.takes(MicroKernel.NR)
                && (level == null ? CpuLevel.best() : level).hasPairs();
        return words ? DType.BF16 : DType.F32;
    }

    /** A program's first backend gets its machine code in the background. */
    private static Products products(Precision precision, CpuLevel level) {
        Products products = new Products(precision, level);
        if (!WarmUp.start(products, CpuAttention.vectorLoops())) {
            products.prepare();
        }
        return products;
    }

    /** In float32, where all levels give the same bits, a program's first products do not wait for machine code. */
    private void awaitProducts() {
        if (!productsKnown && cpu.precision() != Precision.F32) {
            cpu.products().prepare();
        }
        productsKnown = true;
    }

    /** All cores, float32. */
    public CpuBackend() {
        this(Runtime.getRuntime().availableProcessors(), Precision.F32);
    }

    @Override
    public String describe() {
        int threads = cpu.workers().count();
        CpuLevel level = cpu.products().level();
        return "cpu, " + (level == CpuLevel.VECTOR ? "" : level.label() + " and ") + "Vector API at " + Simd.BITS
                + " bits, " + threads + (threads == 1 ? " thread, " : " threads, ")
                + precision().label();
    }

    /** In float32 all levels round alike; in bfloat16 and its parts two of them sum in an order of their own. */
    @Override
    public String arithmetic() {
        if (cpu.precision() == Precision.F32) {
            return float8 ? "cpu fp8" : "cpu f32";
        }
        CpuLevel level = cpu.products().level();
        return "cpu " + cpu.precision().label() + (level.hasPairs() ? " " + level.label() : "");
    }

    @Override
    public Precision precision() {
        return float8 ? Precision.FP8 : cpu.precision();
    }

    @Override
    public Workspace newWorkspace(long bytes) {
        Workspace workspace = Workspace.onHost(bytes, Pages::zeros, () -> memory.remove(bytes), operandType,
                DType.F32);
        memory.add(bytes);
        return workspace;
    }

    @Override
    public Placement newPlacement(Placement.Size size) {
        return new MappedPlacement();
    }

    @Override
    public MemoryModel memoryModel() {
        return new MemoryModel(precision(), false, operandType);
    }

    @Override
    public MemoryCount memory() {
        return memory;
    }

    @Override
    public WorkCount work() {
        return work;
    }

    @Override
    public double measurePeak() {
        return ProductPeak.measure(cpu);
    }

    @Override
    public void upload(float[] values, Tensor to) {
        to.copyFrom(values);
    }

    @Override
    public void upload(int[] values, Tensor to) {
        to.copyFrom(values);
    }

    @Override
    public void download(Tensor from, float[] to) {
        from.copyTo(to);
    }

    @Override
    public void linear(List<LinearCall> calls) {
        awaitProducts();
        work.addLinear(LinearCall.flops(calls));
        linear.run(calls);
    }

    @Override
    public void gatedLinear(Tensor x, Weight w, Tensor bias, Activation activation, Tensor out) {
        linear(LinearCall.gated(x, w, bias, activation, out));
    }

    @Override
    public void attention(AttentionShape shape, List<AttentionStream> streams, Tensor relativeBias) {
        awaitProducts();
        work.addAttention(shape.flops(streams));
        attention.run(shape, streams, relativeBias);
    }

    @Override
    public long lookAtAttention(AttentionShape shape, List<AttentionStream> streams, AttentionLook look) {
        awaitProducts();
        long again = attention.lookAt(shape, streams, look);
        work.addAttention(shape.flops(streams) + again);
        return again;
    }

    @Override
    public boolean keepsOnTheWay(AttentionShape shape, AttentionLook look) {
        awaitProducts();
        return attention.keepsOnTheWay(shape, look);
    }

    @Override
    public void layerNorm(Tensor x, Tensor weight, Tensor bias, Tensor scale, Tensor shift, float eps, Tensor out) {
        layerNorm.run(x, weight, bias, scale, shift, eps, out);
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
        awaitProducts();
        work.addConvolution(shape.flops());
        conv2d.run(shape, x, weight, bias, epilogue, out);
    }

    @Override
    public void normedConv2d(GroupNormCall norm, Conv2dShape shape, Tensor x, Tensor weight, Tensor bias,
                             Epilogue epilogue, Tensor out, Workspace workspace) {
        work.addConvolution(shape.flops());
        conv2d.runNormed(norm, shape, x, weight, bias, epilogue, out);
    }

    @Override
    public void upsampledConv2d(Tensor x, Tensor weight, Tensor bias, Tensor out, Workspace workspace) {
        if (UpsampledConv2d.isWhole(x, out)) {
            work.addConvolution(UpsampledConv2d.flops(UpsampledConv2d.shape(x, weight, bias, out), x, out));
            conv2d.runDoubled(x, weight, bias, out);
        } else {
            UpsampledConv2d.inTwoSteps(this, x, weight, bias, out, workspace);
        }
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
        cpu.close();
    }
}
