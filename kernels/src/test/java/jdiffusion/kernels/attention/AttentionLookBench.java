package jdiffusion.kernels.attention;

import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
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

/** Attention on all cores that nobody looks at, of which eight keys are kept, and of which the mass is kept too. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 3, time = 2)
@Fork(value = 1, jvmArgsAppend = "--add-modules=jdk.incubator.vector")
public class AttentionLookBench {
    private static final int KEYS = 8;

    @Param({"joint512px", "joint1024px", "cross", "flux", "auraflow", "pixart"})
    String problem;

    @Param({"F32", "BF16"})
    Precision precision;

    private AttentionCase attention;
    private AttentionCase.Arguments arguments;
    private AttentionLook columns;
    private AttentionLook mass;
    private Cpu cpu;
    private CpuAttention kernel;

    @Setup
    public void fill() {
        attention = AttentionCase.named(problem);
        arguments = attention.arguments();
        cpu = new Cpu(Runtime.getRuntime().availableProcessors(), precision);
        kernel = new CpuAttention(cpu);
        int queries = arguments.streams().stream().mapToInt(AttentionStream::queries).sum();
        Tensor keys = AttentionCase.integers(IntStream.range(0, KEYS).boxed().toList());
        columns = new AttentionLook(room(queries), keys, room(KEYS, queries), null, null);
        mass = new AttentionLook(room(queries), null, null, room(attention.keys()), room(queries));
    }

    private Tensor room(int... inner) {
        int[] dims = new int[2 + inner.length];
        dims[0] = attention.shape().batch();
        dims[1] = attention.shape().heads();
        System.arraycopy(inner, 0, dims, 2, inner.length);
        return Tensor.of(new float[Math.toIntExact(Shape.of(dims).size())], dims);
    }

    @Benchmark
    public void plain() {
        kernel.run(attention.shape(), arguments.streams(), arguments.bias());
    }

    @Benchmark
    public void columns() {
        kernel.lookAt(attention.shape(), arguments.streams(), columns);
    }

    @Benchmark
    public void mass() {
        kernel.lookAt(attention.shape(), arguments.streams(), mass);
    }

    @TearDown
    public void close() {
        cpu.close();
    }
}
