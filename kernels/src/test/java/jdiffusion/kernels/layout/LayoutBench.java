package jdiffusion.kernels.layout;

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

/** A change of layout there and back on all cores; the counter {@code bytes} over seconds reads as bandwidth. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 3, time = 1)
@Fork(value = 1, jvmArgsAppend = "--add-modules=jdk.incubator.vector")
public class LayoutBench {
    @Param({"LATENT", "PICTURE"})
    String problem;

    private final Cpu cpu = new Cpu(Runtime.getRuntime().availableProcessors(), Precision.F32);
    private final Workspace workspace = Workspace.onHost(512L << 20);
    private final CpuLayout layout = new CpuLayout(cpu);
    private LayoutCase k;
    private Tensor first;
    private Tensor last;

    /** Bytes that must move, reported by the second. */
    @AuxCounters
    @State(Scope.Thread)
    public static class Work {
        public long bytes;
    }

    @Setup
    public void fill() {
        k = LayoutCase.valueOf(problem);
        first = workspace.f32(k.batch, k.c, k.h, k.w);
        last = workspace.f32(k.batch, k.h, k.w, k.c);
    }

    @Benchmark
    public void run(Work work) {
        layout.channelsLast(first, last);
        layout.channelsFirst(last, first);
        work.bytes += 4L * Float.BYTES * k.size();
    }

    @TearDown
    public void close() {
        workspace.close();
        cpu.close();
    }
}
