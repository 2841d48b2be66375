package jdiffusion.kernels.linear;

import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.TestTensors;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.tensor.BlockFormat;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;
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

/** What it costs a linear layer on all processors that its weights are stored otherwise than in bfloat16. */
@State(Scope.Thread)
@BenchmarkMode(Mode.SampleTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(1)
@Warmup(iterations = 2, time = 1)
@Measurement(iterations = 3, time = 1)
public class StoredLinearBench {
    /** Rows of the input, columns of it, and columns of the output. */
    @Param({"1357x1536x1536", "1357x1536x6144"})
    public String size;

    /**
     * A type, NF4, a format of blocks, scaled fp8, the same with the input rounded to it, or the rank of an
     * adapter on a matrix in bfloat16.
     */
    @Param({"BF16", "NF4", "Q8_0", "Q4_0", "Q4_K", "Q6_K", "scaled", "fp8", "lora16"})
    public String storage;

    private final Cpu cpu = new Cpu(Runtime.getRuntime().availableProcessors(), Precision.F32);
    private CpuLinear kernel;
    private LinearCall call;

    @Setup
    public void make() {
        kernel = new CpuLinear(cpu, storage.equals("fp8"));
        int[] sizes = Arrays.stream(size.split("x")).mapToInt(Integer::parseInt).toArray();
        Tensor x = TestTensors.random(1, DType.F32, 1, sizes[0], sizes[1]);
        Weight w = weight(sizes[2], sizes[1]);
        call = new LinearCall(x, w, null, Epilogue.STORE,
                Tensor.of(new float[sizes[0] * sizes[2]], sizes[0], sizes[2]));
    }

    private Weight weight(int rows, int cols) {
        return switch (storage) {
            case "NF4" -> new FourBitCase(rows, cols, 64, true).make(2);
            case "scaled", "fp8" -> StoredWeights.scaled(DType.F8_E4M3, 2, rows, cols);
            case "lora16" -> StoredWeights.adapted(Weight.of(StoredWeights.dense(DType.BF16, 2, rows, cols)), 3, 16);
            default -> DType.of(storage) != null ? Weight.of(StoredWeights.dense(DType.of(storage), 2, rows, cols))
                    : StoredWeights.blocks(BlockFormat.valueOf(storage), 2, rows, cols);
        };
    }

    @Benchmark
    public Tensor linear() {
        kernel.run(call);
        return call.out();
    }

    @TearDown
    public void close() {
        cpu.close();
    }
}
