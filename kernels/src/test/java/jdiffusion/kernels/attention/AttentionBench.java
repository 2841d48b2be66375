package jdiffusion.kernels.attention;

import java.util.concurrent.TimeUnit;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.machine.CpuLevel;
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

/** Attention on all cores; the counter {@code flop} over seconds reads as FLOP/s. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 3, time = 2)
@Fork(value = 1, jvmArgsAppend = "--add-modules=jdk.incubator.vector")
public class AttentionBench {
    @Param({"joint512px", "joint1024px", "small", "cross", "vae", "heads64", "heads72", "heads128", "heads256", "flux",
        "auraflow", "pixart", "pixartText", "umt5"})
    String problem;

    @Param({"F32", "BF16"})
    Precision precision;

    @Param({"AVX512BF16", "VECTOR"})
    CpuLevel level;

    private AttentionCase attention;
    private AttentionCase.Arguments arguments;
    private Cpu cpu;
    private CpuAttention kernel;

    /** Floating-point operations, reported by the second. */
    @AuxCounters
    @State(Scope.Thread)
    public static class Work {
        public long flop;
    }

    @Setup
    public void fill() {
        attention = AttentionCase.named(problem);
        arguments = attention.arguments();
        cpu = new Cpu(Runtime.getRuntime().availableProcessors(), precision, level);
        kernel = new CpuAttention(cpu);
    }

    @Benchmark
    public void run(Work work) {
        kernel.run(attention.shape(), arguments.streams(), arguments.bias());
        work.flop += attention.flops();
    }

    @TearDown
    public void close() {
        cpu.close();
    }
}
