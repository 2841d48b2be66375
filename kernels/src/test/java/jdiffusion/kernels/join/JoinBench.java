package jdiffusion.kernels.join;

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

/** Joining channels on all cores; the counter {@code bytes} over seconds reads as bandwidth. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 3, time = 1)
@Fork(value = 1, jvmArgsAppend = "--add-modules=jdk.incubator.vector")
public class JoinBench {
    @Param({"UNET_FIRST", "UNET_LAST"})
    String problem;

    private final Cpu cpu = new Cpu(Runtime.getRuntime().availableProcessors(), Precision.F32);
    private final Workspace workspace = Workspace.onHost(512L << 20);
    private final CpuJoin join = new CpuJoin(cpu);
    private JoinCase k;
    private Tensor a;
    private Tensor b;
    private Tensor out;

    /** Bytes that must move, reported by the second. */
    @AuxCounters
    @State(Scope.Thread)
    public static class Work {
        public long bytes;
    }

    @Setup
    public void fill() {
        k = JoinCase.valueOf(problem);
        a = workspace.f32(k.batch, k.h, k.w, k.a);
        b = workspace.f32(k.batch, k.h, k.w, k.b);
        out = workspace.f32(k.batch, k.h, k.w, k.a + k.b);
    }

    @Benchmark
    public void run(Work work) {
        join.run(a, b, out);
        work.bytes += k.bytes();
    }

    @TearDown
    public void close() {
        workspace.close();
        cpu.close();
    }
}
