package jdiffusion.kernels.conv2d;

import java.util.concurrent.TimeUnit;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.TestTensors;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;
import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** Convolutions of an autoencoder on all processors; for the machine's peak run the linear layers' benchmark. */
@State(Scope.Thread)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class Conv2dBench {
    /** Index into {@link Conv2dCases#REAL}. */
    @Param({"0", "1", "2", "3"})
    public int index;

    private final Cpu cpu = new Cpu(Runtime.getRuntime().availableProcessors(), Precision.F32);
    private final CpuConv2d kernel = new CpuConv2d(cpu);
    private final Workspace workspace = Workspace.onHost(2L << 30);
    private Conv2dShape shape;
    private Tensor x;
    private Tensor weight;
    private Tensor out;

    /** Floating-point operations, counted for a rate. */
    @State(Scope.Thread)
    @AuxCounters(AuxCounters.Type.OPERATIONS)
    public static class Rate {
        public double gflops;
    }

    @Setup
    public void make() {
        shape = Conv2dCases.REAL[index];
        x = workspace.f32(shape.batch(), shape.height(), shape.width(), shape.cin());
        x.copyFrom(TestTensors.gaussian(1, (int) x.shape().size(), 1));
        Tensor values = TestTensors.random(2, DType.BF16, 1, shape.cout(), shape.cin(), shape.kernel(),
                shape.kernel());
        weight = workspace.allocate(DType.BF16, values.shape().dims());
        weight.data().copyFrom(values.data());
        out = workspace.f32(shape.batch(), shape.outHeight(), shape.outWidth(), shape.cout());
    }

    @Benchmark
    public Tensor conv2d(Rate rate) {
        kernel.run(shape, x, weight, null, Epilogue.STORE, out);
        rate.gflops += shape.flops() * 1e-9;
        return out;
    }

    @TearDown
    public void close() {
        workspace.close();
        cpu.close();
    }
}
