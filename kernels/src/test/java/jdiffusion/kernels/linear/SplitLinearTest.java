package jdiffusion.kernels.linear;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.List;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Closeness;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.Epilogue.Mode;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.SplitNumbers;
import jdiffusion.kernels.TestTensors;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.kernels.cpu.InterpretedCpu;
import jdiffusion.kernels.machine.CpuLevel;
import jdiffusion.kernels.machine.Levels;
import jdiffusion.kernels.machine.TileCount;
import jdiffusion.tensor.BlockFormat;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Linear layers whose factors are split into parts, on AMX's tiles, whose machine code is interpreted. */
class SplitLinearTest {
    /** Around the edges of tiles, steps, parts along k and chunks of them. */
    private static final List<LinearCase> RAGGED = List.of(
            new LinearCase(1, 1, 1, DType.F32), new LinearCase(1, 5, 7, DType.BF16),
            new LinearCase(17, 33, 33, DType.F8_E4M3), new LinearCase(33, 127, 70, DType.F32),
            new LinearCase(64, 64, 65, DType.BF16), new LinearCase(47, 544, 20, DType.F16),
            new LinearCase(35, 1600, 33, DType.BF16), new LinearCase(3, 1100, 40, DType.F32));

    /** No further from the truth than naive code that sums the same products of parts, weights as exact as they are. */
    @ParameterizedTest
    @EnumSource(names = {"BF16X2", "BF16X3"})
    void raggedSizesAndAllWeightTypes(Precision precision) {
        for (LinearCase c : RAGGED) {
            check(precision, c, Activation.NONE, Mode.STORE, true);
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"BF16X2", "BF16X3"})
    void activationsInEveryMode(Precision precision) {
        for (Mode mode : Mode.values()) {
            check(precision, new LinearCase(38, 40, 71, DType.F16), Activation.GELU_TANH, mode, true);
            check(precision, new LinearCase(38, 64, 64, DType.BF16), Activation.SILU, mode, false);
        }
    }

    private static int rightParts(DType type, int left) {
        return Math.min(left, type == DType.F32 ? 3 : type == DType.F16 ? 2 : 1);
    }

    private static void check(Precision precision, LinearCase c, Activation activation, Mode mode, boolean withBias) {
        float[] x = TestTensors.gaussian(1, c.m() * c.k(), 1);
        Tensor w = TestTensors.random(2, c.type(), 1 / Math.sqrt(c.k()), c.n(), c.k());
        Tensor bias = withBias ? TestTensors.random(3, c.type(), 1, c.n()) : null;
        float[] old = TestTensors.gaussian(5, c.m() * c.n(), 1);
        Tensor out = TestTensors.spread(old, 3, 2, c.m(), c.n());
        try (Cpu cpu = InterpretedCpu.withParts(precision, 2, new TileCount())) {
            new CpuLinear(cpu).run(new LinearCall(TestTensors.spread(x, 2, 5, c.m(), c.k()), Weight.of(w), bias,
                    new Epilogue(activation, mode, null), out));
        }
        int left = precision.parts();
        int right = rightParts(c.type(), left);
        float[] ws = w.toArray();
        float[] bs = bias == null ? null : bias.toArray();
        Closeness.check(c + " " + precision + " " + activation + " " + mode, out.toArray(),
                LinearReference.exact(c.m(), c.n(), c.k(), x, ws, bs, activation, mode, null, old),
                LinearReference.naive(c.m(), c.n(), c.k() * SplitNumbers.terms(left, right),
                        SplitNumbers.left(x, left, right), SplitNumbers.right(ws, left, right), bs, activation, mode,
                        null, old));
        assertThat(TestTensors.gapsUntouched(out, 2)).isTrue();
    }

    /** The error over the results' root mean square: bfloat16 has 2e-3, float32 in one chain 7e-7. */
    @Test
    void errorsAreThoseOfTheirBits() {
        int n = 48;
        int k = 1536;
        float[] x = TestTensors.gaussian(1, n * k, 1);
        Tensor w = TestTensors.random(2, DType.F32, 1, n, k);
        double[] exact = LinearReference.exact(n, n, k, x, w.toArray(), null, Activation.NONE, Mode.STORE, null,
                new float[n * n]);
        double two = error(run(Precision.BF16X2, 2, Tensor.of(x, n, k), Weight.of(w)), exact);
        double three = error(run(Precision.BF16X3, 2, Tensor.of(x, n, k), Weight.of(w)), exact);
        float[] chain = LinearReference.naive(n, n, k, x, w.toArray(), null, Activation.NONE, Mode.STORE, null,
                new float[n * n]);
        assertThat(two).isBetween(1e-6, 5e-6);
        assertThat(three).isLessThan(error(chain, exact));
    }

    private static double error(float[] got, double[] exact) {
        double squares = 0;
        double errors = 0;
        for (int i = 0; i < exact.length; i++) {
            squares += exact[i] * exact[i];
            errors += (got[i] - exact[i]) * (got[i] - exact[i]);
        }
        return Math.sqrt(errors / squares);
    }

    @Test
    void weightsThatAreDecodedOnTheWay() {
        int cols = 256;
        List<Weight> weights = List.of(new FourBitCase(40, cols, 64, true).make(1),
                StoredWeights.blocks(BlockFormat.Q8_0, 2, 35, cols),
                StoredWeights.scaled(DType.F8_E4M3, 4, 5, cols),
                Weight.of(StoredWeights.dense(DType.BF16, 5, 33, cols)),
                StoredWeights.adapted(Weight.of(StoredWeights.dense(DType.BF16, 5, 64, cols)), 6, 3));
        Tensor x = TestTensors.random(7, DType.F32, 1, 35, cols);
        Weight joined = new Weight.Rows(weights);
        float[] expected = run(Precision.BF16X3, 1, x,
                Weight.of(Tensor.of(StoredWeights.values(joined), joined.rows(), cols)));
        assertThat(run(Precision.BF16X3, 2, x, joined)).doesNotContain(Float.NaN).isEqualTo(expected);
    }

    /** Parts that are zero change no sum: weights in bfloat16 give the bits that the same in float32 give. */
    @Test
    void weightsOfFewBitsHaveFewerParts() {
        for (Precision precision : new Precision[] {Precision.BF16X2, Precision.BF16X3}) {
            for (DType type : new DType[] {DType.BF16, DType.F16}) {
                Tensor x = TestTensors.random(1, DType.F32, 1, 33, 544);
                Tensor w = TestTensors.random(2, type, 1, 40, 544);
                TileCount few = new TileCount();
                TileCount many = new TileCount();
                assertThat(run(precision, 1, x, Weight.of(w), few))
                        .isEqualTo(run(precision, 1, x, Weight.of(Tensor.of(w.toArray(), 40, 544)), many));
                int left = precision.parts();
                assertThat(few.products() * SplitNumbers.terms(left, left))
                        .isEqualTo(many.products() * SplitNumbers.terms(left, rightParts(type, left)));
            }
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"BF16X2", "BF16X3"})
    void resultsDoNotDependOnThreadsOrBatch(Precision precision) {
        for (DType type : new DType[] {DType.F32, DType.BF16}) {
            Tensor x = TestTensors.random(1, DType.F32, 1, 150, 832);
            Weight w = Weight.of(TestTensors.random(2, type, 1, 70, 832));
            float[] one = run(precision, 1, x, w);
            for (int threads : new int[] {2, 5}) {
                assertThat(run(precision, threads, x, w)).isEqualTo(one);
            }
            for (int row : new int[] {0, 100, 149}) {
                assertThat(run(precision, 2, x.slice(row, row + 1), w))
                        .isEqualTo(Arrays.copyOfRange(one, row * 70, (row + 1) * 70));
            }
        }
    }

    /** Pictures say by what arithmetic they were drawn; operands stay float32, as attention takes them. */
    @Test
    void theBackendSaysWhatItComputesIn() {
        try (CpuBackend backend = InterpretedCpu.backend(Precision.BF16X2, 1)) {
            assertThat(backend.arithmetic()).isEqualTo("cpu bf16x2 amx");
            assertThat(backend.describe()).startsWith("cpu, amx and Vector API").endsWith("1 thread, bf16x2");
            assertThat(backend.memoryModel().operands()).isEqualTo(DType.F32);
        }
        assertThat(CpuBackend.operandType(Precision.BF16X3, CpuLevel.AMX)).isEqualTo(DType.F32);
        assertThatThrownBy(() -> new CpuBackend(1, Precision.BF16X3, CpuLevel.VECTOR))
                .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("BF16X3 needs the level amx");
    }

    /** The interpreter and the CPU that it stands for. */
    @Test
    void tilesOfTheCpuGiveTheSameBits() {
        Levels.assume(CpuLevel.AMX);
        for (Precision precision : new Precision[] {Precision.BF16X2, Precision.BF16X3}) {
            for (LinearCase c : RAGGED) {
                Tensor x = TestTensors.random(1, DType.F32, 1, c.m(), c.k());
                Weight w = Weight.of(TestTensors.random(2, c.type(), 1, c.n(), c.k()));
                Tensor out = Tensor.of(new float[c.m() * c.n()], c.m(), c.n());
                try (Cpu cpu = new Cpu(2, precision, CpuLevel.AMX)) {
                    new CpuLinear(cpu).run(new LinearCall(x, w, null, Epilogue.STORE, out));
                }
                assertThat(out.toArray()).as(c.toString()).isEqualTo(run(precision, 2, x, w));
            }
        }
    }

    private static float[] run(Precision precision, int threads, Tensor x, Weight w) {
        return run(precision, threads, x, w, new TileCount());
    }

    private static float[] run(Precision precision, int threads, Tensor x, Weight w, TileCount count) {
        Tensor out = Tensor.of(new float[x.rows() * w.rows()], x.rows(), w.rows());
        try (Cpu cpu = InterpretedCpu.withParts(precision, threads, count)) {
            new CpuLinear(cpu).run(new LinearCall(x, w, null, Epilogue.STORE, out));
        }
        return out.toArray();
    }
}
