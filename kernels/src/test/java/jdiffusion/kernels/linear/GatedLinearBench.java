package jdiffusion.kernels.linear;

import java.util.List;
import java.util.concurrent.TimeUnit;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.TestTensors;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;
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

/** SDXL's feed-forward layers on all processors, beside products of the same size that only store their sums. */
@State(Scope.Thread)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class GatedLinearBench {
    /** Rows, columns of x, columns of out. */
    @Param({"4096x640x2560", "1024x1280x5120"})
    public String size;

    @Param({"F32", "BF16"})
    public Precision precision;

    private Backend cpu;
    private Workspace workspace;
    private LinearCase c;
    private Tensor x;
    private Weight w;
    private Tensor bias;
    private Tensor out;
    private Tensor both;

    /** Floating-point operations, counted for a rate. */
    @State(Scope.Thread)
    @AuxCounters(AuxCounters.Type.OPERATIONS)
    public static class Rate {
        public double gflops;
    }

    @Setup
    public void make() {
        c = LinearCase.parse(size + " BF16");
        cpu = new CpuBackend(Runtime.getRuntime().availableProcessors(), precision);
        workspace = cpu.newWorkspace(512L << 20);
        x = workspace.operand(c.m(), c.k());
        cpu.upload(TestTensors.gaussian(1, c.m() * c.k(), 1), x);
        w = Weight.of(TestTensors.random(2, DType.BF16, 0.02, 2 * c.n(), c.k()));
        bias = TestTensors.random(3, DType.F32, 1, 2 * c.n());
        out = workspace.operand(c.m(), c.n());
        both = workspace.operand(c.m(), 2 * c.n());
    }

    @Benchmark
    public Tensor gated(Rate rate) {
        cpu.gatedLinear(x, w, bias, Activation.GELU_ERF, out);
        rate.gflops += 2 * c.flops() * 1e-9;
        return out;
    }

    @Benchmark
    public Tensor plain(Rate rate) {
        cpu.linear(List.of(new LinearCall(x, w, bias, Epilogue.STORE, both)));
        rate.gflops += 2 * c.flops() * 1e-9;
        return both;
    }

    @TearDown
    public void close() {
        workspace.close();
        cpu.close();
    }
}
