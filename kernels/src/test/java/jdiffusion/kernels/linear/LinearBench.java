package jdiffusion.kernels.linear;

import java.util.concurrent.TimeUnit;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.TestTensors;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.cpu.Simd;
import jdiffusion.kernels.cpu.Workers;
import jdiffusion.kernels.machine.CpuLevel;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;
import jdiffusion.tensor.Workspace;
import jdk.incubator.vector.FloatVector;
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

/**
 * Linear layers of the model family on all processors. The counter {@code gflops} is the rate; {@code peak} runs
 * nothing but fused multiply-adds on the same threads, so the quotient is the share of what the machine can do.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class LinearBench {
    private final Workers workers = new Workers(Runtime.getRuntime().availableProcessors());

    /** One problem. */
    @State(Scope.Thread)
    public static class Problem {
        /** As {@link LinearCase#REAL} prints them. */
        @Param({"1536x1536x1536 F32", "666x256x1024 BF16", "1357x1536x6144 BF16", "2x1536x9216 BF16"})
        public String size;

        @Param({"F32", "BF16"})
        public Precision precision;

        @Param({"AVX512BF16", "AVX2", "VECTOR"})
        public CpuLevel level;

        private final Workspace workspace = Workspace.onHost(512L << 20);
        private LinearCase linear;
        private Cpu cpu;
        private CpuLinear kernel;
        private Tensor x;
        private Tensor w;
        private Tensor out;

        @Setup
        public void make() {
            cpu = new Cpu(Runtime.getRuntime().availableProcessors(), precision, level);
            kernel = new CpuLinear(cpu);
            linear = LinearCase.parse(size);
            x = workspace.f32(linear.m(), linear.k());
            x.copyFrom(TestTensors.gaussian(1, linear.m() * linear.k(), 1));
            Tensor values = TestTensors.random(2, linear.type(), 1, linear.n(), linear.k());
            w = workspace.allocate(linear.type(), linear.n(), linear.k());
            w.data().copyFrom(values.data());
            out = workspace.f32(linear.m(), linear.n());
        }

        @TearDown
        public void close() {
            cpu.close();
            workspace.close();
        }
    }

    /** Floating-point operations, counted for a rate. */
    @State(Scope.Thread)
    @AuxCounters(AuxCounters.Type.OPERATIONS)
    public static class Rate {
        public double gflops;
    }

    @Benchmark
    public Tensor linear(Problem p, Rate rate) {
        p.kernel.run(new LinearCall(p.x, Weight.of(p.w), null, Epilogue.STORE, p.out));
        rate.gflops += p.linear.flops() * 1e-9;
        return p.out;
    }

    private static final int PEAK_STEPS = 100_000;
    private static final int PEAK_SUMS = 12;
    private final float[][] sums = new float[workers.count()][PEAK_SUMS * Simd.LANES];
    private final Workers.Body peakLoop = (item, worker) -> multiplyAdds(sums[worker]);

    @Benchmark
    public float[][] peak(Rate rate) {
        int items = 8 * workers.count();
        workers.run(items, peakLoop);
        rate.gflops += 2e-9 * items * PEAK_STEPS * PEAK_SUMS * Simd.LANES;
        return sums;
    }

    private static void multiplyAdds(float[] sums) {
        FloatVector x = FloatVector.broadcast(Simd.F, 0.999f);
        FloatVector y = FloatVector.broadcast(Simd.F, 0.001f);
        FloatVector s0 = FloatVector.fromArray(Simd.F, sums, 0);
        FloatVector s1 = s0.add(1f);
        FloatVector s2 = s0.add(2f);
        FloatVector s3 = s0.add(3f);
        FloatVector s4 = s0.add(4f);
        FloatVector s5 = s0.add(5f);
        FloatVector s6 = s0.add(6f);
        FloatVector s7 = s0.add(7f);
        FloatVector s8 = s0.add(8f);
        FloatVector s9 = s0.add(9f);
        FloatVector s10 = s0.add(10f);
        FloatVector s11 = s0.add(11f);
        for (int i = 0; i < PEAK_STEPS; i++) {
            s0 = s0.fma(x, y);
            s1 = s1.fma(x, y);
            s2 = s2.fma(x, y);
            s3 = s3.fma(x, y);
            s4 = s4.fma(x, y);
            s5 = s5.fma(x, y);
            s6 = s6.fma(x, y);
            s7 = s7.fma(x, y);
            s8 = s8.fma(x, y);
            s9 = s9.fma(x, y);
            s10 = s10.fma(x, y);
            s11 = s11.fma(x, y);
        }
        s0.add(s1).add(s2).add(s3).add(s4).add(s5).add(s6).add(s7).add(s8).add(s9).add(s10).add(s11)
                .intoArray(sums, 0);
    }

    @TearDown
    public void close() {
        workers.close();
    }
}
