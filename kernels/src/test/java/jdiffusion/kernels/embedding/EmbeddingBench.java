package jdiffusion.kernels.embedding;

import java.util.concurrent.TimeUnit;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.Samples;
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

/** Adding a table of position embeddings on all cores; the counter {@code bytes} over seconds reads as bandwidth. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 3, time = 1)
@Fork(value = 1, jvmArgsAppend = "--add-modules=jdk.incubator.vector")
public class EmbeddingBench {
    @Param({"BF16", "F32"})
    String problem;

    private final Cpu cpu = new Cpu(Runtime.getRuntime().availableProcessors(), Precision.F32);
    private final Workspace workspace = Workspace.onHost(512L << 20);
    private static final int ROWS = 4096;
    private static final int CHANNELS = 1536;
    private final CpuEmbedding embedding = new CpuEmbedding(cpu);
    private Tensor table;
    private Tensor out;

    /** Bytes that must move, reported by the second. */
    @AuxCounters
    @State(Scope.Thread)
    public static class Work {
        public long bytes;
    }

    @Setup
    public void fill() {
        DType type = DType.valueOf(problem);
        table = Samples.stored(type, Samples.normal(1, ROWS * CHANNELS, 0, 1), ROWS, CHANNELS);
        out = workspace.f32(ROWS, CHANNELS);
    }

    @Benchmark
    public void run(Work work) {
        embedding.embedding(null, table, true, out);
        work.bytes += table.byteSize() + 2 * out.byteSize();
    }

    @TearDown
    public void close() {
        workspace.close();
        cpu.close();
    }
}
