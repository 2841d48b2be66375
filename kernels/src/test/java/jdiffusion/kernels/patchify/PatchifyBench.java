package jdiffusion.kernels.patchify;

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

/** Cutting into patches and joining on all cores; the counter {@code bytes} over seconds reads as bandwidth. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 3, time = 1)
@Fork(value = 1, jvmArgsAppend = "--add-modules=jdk.incubator.vector")
public class PatchifyBench {
    @Param({"LATENT"})
    String problem;

    private final Cpu cpu = new Cpu(Runtime.getRuntime().availableProcessors(), Precision.F32);
    private final Workspace workspace = Workspace.onHost(512L << 20);
    private final CpuPatchify patchify = new CpuPatchify(cpu);
    private PatchifyCase k;
    private Tensor image;
    private Tensor rows;

    /** Bytes that must move, reported by the second. */
    @AuxCounters
    @State(Scope.Thread)
    public static class Work {
        public long bytes;
    }

    @Setup
    public void fill() {
        k = PatchifyCase.valueOf(problem);
        image = workspace.f32(k.batch, k.c, k.h, k.w);
        rows = workspace.f32(k.batch, k.tokens(), k.c * k.p * k.p);
    }

    @Benchmark
    public void run(Work work) {
        patchify.patchify(image, k.p, rows);
        patchify.unpatchify(rows, k.p, image);
        work.bytes += 4L * Float.BYTES * k.size();
    }

    @TearDown
    public void close() {
        workspace.close();
        cpu.close();
    }
}
