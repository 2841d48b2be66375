package jdiffusion.kernels.modulate;

import java.util.concurrent.TimeUnit;
import jdiffusion.kernels.Precision;
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

/** Modulation without a norm on all cores; the counter {@code bytes} over seconds reads as bandwidth. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 3, time = 1)
@Fork(value = 1, jvmArgsAppend = "--add-modules=jdk.incubator.vector")
public class ModulateBench {
    @Param({"MANY_ROWS", "AURAFLOW"})
    String problem;

    private final Cpu cpu = new Cpu(Runtime.getRuntime().availableProcessors(), Precision.F32);
    private final Workspace workspace = Workspace.onHost(512L << 20);
    private final CpuModulate modulate = new CpuModulate(cpu);
    private ModulateCase k;
    private Tensor x;
    private Tensor out;
    private Tensor scale;
    private Tensor shift;

    /** Bytes that must move, reported by the second. */
    @AuxCounters
    @State(Scope.Thread)
    public static class Work {
        public long bytes;
    }

    @Setup
    public void fill() {
        k = ModulateCase.valueOf(problem);
        x = workspace.f32(k.rows, k.c);
        x.copyFrom(k.x());
        out = workspace.f32(k.rows, k.c);
        scale = k.scale();
        shift = k.shift();
    }

    @Benchmark
    public void run(Work work) {
        modulate.run(x, scale, shift, out);
        work.bytes += k.bytes();
    }

    @TearDown
    public void close() {
        workspace.close();
        cpu.close();
    }
}
