package jdiffusion.kernels.elementwise;

import java.util.List;
import java.util.concurrent.TimeUnit;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.Samples;
import jdiffusion.kernels.cpu.Cpu;
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

/** One elementwise operation on all cores; the counter {@code bytes} over seconds reads as bandwidth. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 3, time = 1)
@Fork(value = 1, jvmArgsAppend = "--add-modules=jdk.incubator.vector")
public class ElementwiseBench {
    @Param({"SILU", "GELU_TANH", "RELU", "GATED", "COMBINE", "BLEND"})
    String problem;

    private final Cpu cpu = new Cpu(Runtime.getRuntime().availableProcessors(), Precision.F32);
    private final Workspace workspace = Workspace.onHost(512L << 20);
    private static final int ROWS = 512;
    private static final int CHANNELS = 10240;
    private final CpuElementwise elementwise = new CpuElementwise(cpu);
    private final float[] factors = {1, -0.5f, 0.25f};
    private List<Tensor> terms;
    private Tensor out;

    /** Bytes that must move, reported by the second. */
    @AuxCounters
    @State(Scope.Thread)
    public static class Work {
        public long bytes;
    }

    @Setup
    public void fill() {
        terms = List.of(workspace.f32(ROWS, CHANNELS), workspace.f32(ROWS, CHANNELS), workspace.f32(ROWS, CHANNELS));
        terms.getFirst().copyFrom(Samples.normal(1, ROWS * CHANNELS, 0, 1));
        out = workspace.f32(ROWS, CHANNELS);
    }

    @Benchmark
    public void run(Work work) {
        int operands = switch (problem) {
            case "GATED" -> {
                elementwise.gatedActivate(Activation.GELU_TANH, terms.get(0), terms.get(1), out);
                yield 3;
            }
            case "COMBINE" -> {
                elementwise.combine(factors, terms, out);
                yield 4;
            }
            case "BLEND" -> {
                elementwise.blend(terms.get(0), terms.get(1), terms.get(2), out);
                yield 4;
            }
            default -> {
                elementwise.activate(Activation.valueOf(problem), terms.get(0), out);
                yield 2;
            }
        };
        work.bytes += operands * out.byteSize();
    }

    @TearDown
    public void close() {
        workspace.close();
        cpu.close();
    }
}
