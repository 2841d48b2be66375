package jdiffusion.kernels.linear;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.Stream;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Closeness;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.Epilogue.Mode;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.TestTensors;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.machine.CpuLevel;
import jdiffusion.kernels.machine.Levels;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.FloatFormat;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class LinearTest {
    static Stream<Arguments> raggedAtEveryLevel() {
        return Arrays.stream(CpuLevel.values())
                .flatMap(level -> Arrays.stream(LinearCase.RAGGED).map(c -> Arguments.of(c, level)));
    }

    @ParameterizedTest
    @MethodSource("raggedAtEveryLevel")
    void raggedSizesAndAllWeightTypes(LinearCase c, CpuLevel level) {
        Levels.assume(level);
        for (Precision precision : TestTensors.CPU_PRECISIONS) {
            check(c, precision, level, Activation.NONE, Mode.STORE, 0, true);
        }
    }

    @ParameterizedTest
    @EnumSource
    void activationsInEveryMode(Activation activation) {
        LinearCase c = new LinearCase(14, 40, 71, DType.BF16);
        for (Mode mode : Mode.values()) {
            check(c, Precision.F32, CpuLevel.best(), activation, mode, 0, true);
        }
        check(c, Precision.F32, CpuLevel.best(), activation, Mode.ADD, 2, false);
    }

    @Test
    void gatesFollowTheirRunsOfRows() {
        for (int batch : new int[] {1, 2, 3, 18}) {
            check(new LinearCase(18, 21, 130, DType.F16), Precision.BF16, CpuLevel.best(), Activation.NONE, Mode.ADD,
                    batch, true);
        }
    }

    @Test
    void concatenatedWeightsAreOneWeight() {
        Tensor a = TestTensors.random(1, DType.BF16, 1, 70, 33);
        Tensor b = TestTensors.random(2, DType.F32, 1, 1, 33);
        Tensor c = TestTensors.random(3, DType.F8_E4M3, 1, 63, 33);
        float[] joined = new float[134 * 33];
        System.arraycopy(a.toArray(), 0, joined, 0, 70 * 33);
        System.arraycopy(b.toArray(), 0, joined, 70 * 33, 33);
        System.arraycopy(c.toArray(), 0, joined, 71 * 33, 63 * 33);
        Tensor x = TestTensors.random(4, DType.F32, 1, 9, 33);
        Weight nested = Weight.rows(Weight.of(a), Weight.rows(Weight.of(b), Weight.of(c)));
        for (Precision precision : TestTensors.CPU_PRECISIONS) {
            float[] apart = run(2, precision, x, nested, null, Epilogue.STORE);
            float[] together = run(2, precision, x, Weight.of(Tensor.of(joined, 134, 33)), null, Epilogue.STORE);
            assertThat(apart).isEqualTo(together);
        }
    }

    /** What is stored in bfloat16 is what float32 would hold, rounded; what is read is what float32 would hold. */
    @ParameterizedTest
    @EnumSource
    void operandsMayBeBfloat16(CpuLevel level) {
        Levels.assume(level);
        for (int[] size : new int[][] {{25, 130, 96}, {61, 64, 1600}, {7, 193, 33}, {1, 5, 64}}) {
            int m = size[0];
            int n = size[1];
            int k = size[2];
            Tensor x = TestTensors.random(1, DType.BF16, 1, m, k);
            Tensor wide = Tensor.of(x.toArray(), m, k);
            Weight w = Weight.of(TestTensors.random(2, DType.BF16, 1, n, k));
            Tensor bias = TestTensors.random(3, DType.F32, 1, n);
            Tensor old = TestTensors.random(4, DType.BF16, 1, m, n);
            for (Epilogue epilogue : List.of(Epilogue.STORE, Epilogue.activate(Activation.GELU_TANH),
                    Epilogue.activate(Activation.GELU_ERF), Epilogue.multiply(Activation.SILU), Epilogue.ADD,
                    Epilogue.gatedAdd(TestTensors.random(5, DType.F32, 1, 1, n)))) {
                try (Cpu cpu = new Cpu(2, Precision.BF16, level)) {
                    CpuLinear linear = new CpuLinear(cpu);
                    Tensor full = Tensor.of(old.toArray(), m, n);
                    linear.run(new LinearCall(wide, w, bias, epilogue, full));
                    Tensor same = Tensor.of(old.toArray(), m, n);
                    linear.run(new LinearCall(x, w, bias, epilogue, same));
                    assertThat(same.toArray()).as("%s %s", level, epilogue).isEqualTo(full.toArray());
                    Tensor rounded = TestTensors.random(4, DType.BF16, 1, m, n);
                    linear.run(new LinearCall(x, w, bias, epilogue, rounded));
                    float[] expected = full.toArray();
                    for (int i = 0; i < expected.length; i++) {
                        expected[i] = FloatFormat.bf16ToFloat(FloatFormat.floatToBf16(expected[i]));
                    }
                    assertThat(rounded.toArray()).as("%s %s", level, epilogue).isEqualTo(expected);
                }
            }
        }
    }

    /** Calls of one x share its rounded rows, of which there may be several chunks. */
    @ParameterizedTest
    @EnumSource
    void callsOfOneInputAreAsEachAlone(CpuLevel level) {
        Levels.assume(level);
        Tensor x = TestTensors.random(1, DType.F32, 1, 1030, 4102);
        Tensor other = TestTensors.random(2, DType.F32, 1, 9, 4102);
        Weight wide = Weight.of(TestTensors.random(3, DType.BF16, 1, 65, 4102));
        Weight narrow = Weight.of(TestTensors.random(4, DType.F32, 1, 3, 4102));
        Tensor bias = TestTensors.random(5, DType.F32, 1, 3);
        for (Precision precision : TestTensors.CPU_PRECISIONS) {
            try (Cpu cpu = new Cpu(2, precision, level)) {
                CpuLinear linear = new CpuLinear(cpu);
                Supplier<List<LinearCall>> calls = () -> List.of(
                        new LinearCall(x, wide, null, Epilogue.STORE, Tensor.of(new float[1030 * 65], 1030, 65)),
                        new LinearCall(x, narrow, bias, Epilogue.activate(Activation.SILU),
                                Tensor.of(new float[1030 * 3], 1030, 3)),
                        new LinearCall(other, wide, null, Epilogue.STORE, Tensor.of(new float[9 * 65], 9, 65)),
                        new LinearCall(x, wide, null, Epilogue.STORE, Tensor.of(new float[1030 * 65], 1030, 65)));
                List<LinearCall> together = calls.get();
                linear.run(together);
                List<LinearCall> alone = calls.get();
                alone.forEach(call -> linear.run(List.of(call)));
                for (int i = 0; i < alone.size(); i++) {
                    assertThat(together.get(i).out().toArray()).isEqualTo(alone.get(i).out().toArray());
                }
            }
        }
    }

    @Test
    void weightsMayHaveGapsBetweenRows() {
        Tensor wide = TestTensors.random(1, DType.BF16, 1, 40, 50);
        Tensor view = wide.columns(7, 40);
        Tensor x = TestTensors.random(2, DType.F32, 1, 3, 33);
        Tensor closed = Tensor.of(view.toArray(), 40, 33);
        for (Precision precision : TestTensors.CPU_PRECISIONS) {
            assertThat(run(1, precision, x, Weight.of(view), null, Epilogue.STORE))
                    .isEqualTo(run(1, precision, x, Weight.of(closed), null, Epilogue.STORE));
        }
    }

    @ParameterizedTest
    @EnumSource
    void resultsDoNotDependOnThreadsOrBatch(CpuLevel level) {
        Levels.assume(level);
        Tensor x = TestTensors.random(1, DType.F32, 1, 260, 700);
        Weight w = Weight.of(TestTensors.random(2, DType.BF16, 1, 90, 700));
        Tensor bias = TestTensors.random(3, DType.F32, 1, 90);
        Epilogue silu = Epilogue.activate(Activation.SILU);
        for (Precision precision : TestTensors.CPU_PRECISIONS) {
            float[] one = run(1, precision, level, x, w, bias, silu);
            for (int threads : new int[] {2, 5}) {
                assertThat(run(threads, precision, level, x, w, bias, silu)).isEqualTo(one);
            }
            for (int row : new int[] {0, 1, 100, 259}) {
                float[] alone = run(2, precision, level, x.slice(row, row + 1), w, bias, silu);
                assertThat(alone).isEqualTo(Arrays.copyOfRange(one, row * 90, (row + 1) * 90));
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void everyLevelGivesTheSameBitsInFloat32(CpuLevel level) {
        Levels.assume(level);
        for (LinearCase c : new LinearCase[] {LinearCase.RAGGED[5], LinearCase.RAGGED[9], LinearCase.RAGGED[11]}) {
            Tensor x = TestTensors.random(1, DType.F32, 1, c.m(), c.k());
            Weight w = Weight.of(TestTensors.random(2, c.type(), 1, c.n(), c.k()));
            assertThat(run(2, Precision.F32, level, x, w, null, Epilogue.STORE)).as(c.toString())
                    .isEqualTo(run(2, Precision.F32, CpuLevel.VECTOR, x, w, null, Epilogue.STORE));
        }
    }

    @Test
    void nothingIsLeftOverFromTheCallBefore() {
        // The second call finds NaN in every buffer of the first.
        try (Cpu cpu = new Cpu(1, Precision.F32)) {
            CpuLinear linear = new CpuLinear(cpu);
            float[] poison = new float[70 * 40];
            Arrays.fill(poison, Float.NaN);
            Tensor out = Tensor.of(new float[20 * 70], 20, 70);
            linear.run(new LinearCall(Tensor.of(poison, 20, 40), Weight.of(Tensor.of(poison, 70, 40)), null,
                    Epilogue.STORE, out));
            assertThat(out.get(19, 69)).isNaN();
            Tensor x = TestTensors.random(1, DType.F32, 1, 7, 39);
            Weight w = Weight.of(TestTensors.random(2, DType.F32, 1, 3, 39));
            Tensor second = Tensor.of(new float[7 * 3], 7, 3);
            linear.run(new LinearCall(x, w, null, Epilogue.STORE, second));
            assertThat(second.toArray()).isEqualTo(run(1, Precision.F32, x, w, null, Epilogue.STORE));
        }
    }

    @Test
    void shapesThatDoNotFitAreNamed() {
        Tensor x = Tensor.of(new float[6], 2, 3);
        Weight w = Weight.of(Tensor.of(new float[12], 4, 3));
        Tensor out = Tensor.of(new float[8], 2, 4);
        refuse(Tensor.of(new float[8], 2, 4), w, null, Epilogue.STORE, out, "linear", "[2, 4]", "[4, 3]");
        refuse(x, w, null, Epilogue.STORE, Tensor.of(new float[12], 3, 4), "linear", "[3, 4]", "[4, 3]", "[2, 3]");
        refuse(x, w, Tensor.of(new float[3], 3), Epilogue.STORE, out, "linear", "bias", "[3]", "[4, 3]");
        refuse(x, w, null, Epilogue.gatedAdd(Tensor.of(new float[12], 3, 4)), out, "gate", "[3, 4]", "[2, 4]");
        refuse(x, w, null, Epilogue.gatedAdd(Tensor.of(new float[2], 1, 2)), out, "gate", "[1, 2]", "[2, 4]");
        refuse(TestTensors.random(1, DType.F16, 1, 2, 3), w, null, Epilogue.STORE, out, "linear", "F16");
    }

    private static void refuse(Tensor x, Weight w, Tensor bias, Epilogue epilogue, Tensor out, String... words) {
        try (Cpu cpu = new Cpu(1, Precision.F32)) {
            assertThatThrownBy(() -> new CpuLinear(cpu).run(new LinearCall(x, w, bias, epilogue, out)))
                    .isInstanceOf(IllegalArgumentException.class).hasMessageContainingAll(words);
        }
    }

    /** Columns of wider tensors in and out, against the reference. */
    private static void check(LinearCase c, Precision precision, CpuLevel level, Activation activation, Mode mode,
                              int gateRows, boolean withBias) {
        float[] x = TestTensors.gaussian(1, c.m() * c.k(), 1);
        Tensor w = TestTensors.random(2, c.type(), 1 / Math.sqrt(c.k()), c.n(), c.k());
        Tensor bias = withBias ? TestTensors.random(3, c.type(), 1, c.n()) : null;
        float[] gate = gateRows == 0 ? null : TestTensors.gaussian(4, gateRows * c.n(), 1);
        float[] old = TestTensors.gaussian(5, c.m() * c.n(), 1);
        Tensor out = TestTensors.spread(old, 3, 2, c.m(), c.n());
        Epilogue epilogue = new Epilogue(activation, mode,
                gate == null ? null : TestTensors.spread(gate, 1, 6, gateRows, c.n()));
        try (Cpu cpu = new Cpu(2, precision, level)) {
            new CpuLinear(cpu).run(new LinearCall(TestTensors.spread(x, 2, 5, c.m(), c.k()), Weight.of(w), bias,
                    epilogue, out));
        }
        float[] xs = TestTensors.rounded(precision, x);
        float[] ws = TestTensors.rounded(precision, w.toArray());
        float[] bs = bias == null ? null : bias.toArray();
        String what = c + " " + precision + " " + level.label() + " " + activation + " " + mode + " gate of "
                + gateRows;
        Closeness.check(what, out.toArray(),
                LinearReference.exact(c.m(), c.n(), c.k(), xs, ws, bs, activation, mode, gate, old),
                LinearReference.naive(c.m(), c.n(), c.k(), xs, ws, bs, activation, mode, gate, old));
        assertThat(TestTensors.gapsUntouched(out, 2)).isTrue();
    }

    private static float[] run(int threads, Precision precision, Tensor x, Weight w, Tensor bias, Epilogue epilogue) {
        return run(threads, precision, CpuLevel.best(), x, w, bias, epilogue);
    }

    private static float[] run(int threads, Precision precision, CpuLevel level, Tensor x, Weight w, Tensor bias,
                               Epilogue epilogue) {
        Tensor out = Tensor.of(new float[x.rows() * w.rows()], x.rows(), w.rows());
        try (Cpu cpu = new Cpu(threads, precision, level)) {
            new CpuLinear(cpu).run(new LinearCall(x, w, bias, epilogue, out));
        }
        return out.toArray();
    }
}
