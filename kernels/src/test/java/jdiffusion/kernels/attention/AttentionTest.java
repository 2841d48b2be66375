package jdiffusion.kernels.attention;

import static jdiffusion.kernels.attention.AttentionReference.assertSame;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.TestTensors;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.machine.CpuLevel;
import jdiffusion.kernels.machine.Levels;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.FloatFormat;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class AttentionTest {
    static List<AttentionCase> ragged() {
        return Stream.concat(AttentionCase.ragged().stream(), AttentionCase.ofFamilies().stream()).toList();
    }

    @ParameterizedTest
    @MethodSource("ragged")
    void isAsCloseToTheDefinitionAsNaiveCode(AttentionCase problem) {
        isAsCloseAsNaiveCode(problem, CpuLevel.best());
    }

    /** Whole and ragged blocks of keys, an odd head, a scale that is no power of two, with a bias and without. */
    @ParameterizedTest
    @EnumSource
    void everyLevelIsAsClose(CpuLevel level) {
        Levels.assume(level);
        for (AttentionCase problem : List.of(AttentionCase.of(1, 2, 64, 96), AttentionCase.of(1, 1, 7, 101),
                AttentionCase.of(2, 2, 24, 130).causal(), AttentionCase.of(1, 2, 33, 65).biased(),
                AttentionCase.of(1, 2, 32, 97).scale(1).biased(),
                AttentionCase.of(1, 1, 128, 100, 33).norm(DType.F32).turned(0),
                AttentionCase.of(2, 1, 72, 97).layerNorm().turned(0).counts(0, 5, 97),
                AttentionCase.of(2, 2, 64, 97).scale(1).biased().counts(0, 90, 0))) {
            isAsCloseAsNaiveCode(problem, level);
            assertSame(problem.run(2, Precision.BF16, level), problem.run(1, Precision.BF16, level));
            assertSame(problem.run(1, Precision.F32, level), problem.run(1, Precision.F32, CpuLevel.VECTOR));
        }
    }

    private static void isAsCloseAsNaiveCode(AttentionCase problem, CpuLevel level) {
        List<double[]> exact = AttentionReference.exact(problem);
        for (Precision precision : TestTensors.CPU_PRECISIONS) {
            List<double[]> naive = AttentionReference.naive(problem, precision);
            AttentionReference.assertAsClose(problem + " " + precision + " " + level,
                    problem.run(1, precision, level), naive, exact);
        }
    }

    @ParameterizedTest
    @MethodSource("ragged")
    void doesNotDependOnTheNumberOfThreads(AttentionCase problem) {
        for (Precision precision : TestTensors.CPU_PRECISIONS) {
            assertSame(problem.run(2, precision), problem.run(1, precision));
        }
    }

    /** More packed keys than are held at once, so heads go in several rounds, and more than a few key blocks. */
    @Test
    void doesNotDependOnTheRestOfTheBatch() {
        int n = 1500;
        int width = 3 * 512;
        Random random = new Random(1);
        Tensor qkv = Tensor.of(AttentionCase.gaussian(random, 2 * n * 3 * width, 1), 2, n, 3 * width);
        Tensor both = Tensor.of(new float[2 * n * width], 2, n, width);
        Tensor one = Tensor.of(new float[n * width], 1, n, width);
        try (Cpu cpu = new Cpu(2, Precision.F32)) {
            CpuAttention attention = new CpuAttention(cpu);
            attention.run(AttentionShape.of(2, 3, 512), List.of(stream(qkv, both)), null);
            attention.run(AttentionShape.of(1, 3, 512), List.of(stream(qkv.slice(1, 2), one)), null);
        }
        assertThat(one.toArray()).isEqualTo(both.slice(1, 2).toArray());
    }

    private static AttentionStream stream(Tensor qkv, Tensor out) {
        int width = qkv.cols() / 3;
        return AttentionStream.of(qkv.columns(0, width), qkv.columns(width, 2 * width),
                qkv.columns(2 * width, 3 * width), out);
    }

    @Test
    void bf16RoundsInputsToNearestEven() {
        int n = 100;
        float[] values = AttentionCase.gaussian(new Random(2), n * 3 * 48, 1);
        float[] rounded = new float[values.length];
        for (int i = 0; i < values.length; i++) {
            rounded[i] = FloatFormat.bf16ToFloat(FloatFormat.floatToBf16(values[i]));
        }
        Tensor plain = Tensor.of(new float[n * 48], 1, n, 48);
        Tensor fromRounded = Tensor.of(new float[n * 48], 1, n, 48);
        try (Cpu cpu = new Cpu(1, Precision.BF16)) {
            CpuAttention attention = new CpuAttention(cpu);
            AttentionShape shape = AttentionShape.of(1, 2, 24);
            attention.run(shape, List.of(stream(Tensor.of(values, 1, n, 3 * 48), plain)), null);
            attention.run(shape, List.of(stream(Tensor.of(rounded, 1, n, 3 * 48), fromRounded)), null);
        }
        assertThat(plain.toArray()).isEqualTo(fromRounded.toArray());
    }

    /** A quarter of the least normal numbers has bits where their neighbours lie in a pair. */
    @ParameterizedTest
    @EnumSource
    void theLeastNumbersLeaveTheirNeighboursAlone(CpuLevel level) {
        Levels.assume(level);
        int n = 20;
        float[] values = AttentionCase.gaussian(new Random(3), n * 3 * 16, 1);
        for (int i = 0; i < values.length; i++) {
            boolean odd = i % 48 < 16 && i % 2 == 1;
            values[i] = odd ? Float.intBitsToFloat(0x00810000) : i % 48 < 16 ? 1 : values[i];
        }
        float[] zeros = values.clone();
        for (int i = 1; i < zeros.length; i += 2) {
            zeros[i] = i % 48 < 16 ? 0 : zeros[i];
        }
        Tensor least = Tensor.of(new float[n * 16], 1, n, 16);
        Tensor none = Tensor.of(new float[n * 16], 1, n, 16);
        try (Cpu cpu = new Cpu(1, Precision.BF16, level)) {
            CpuAttention attention = new CpuAttention(cpu);
            AttentionShape shape = AttentionShape.of(1, 1, 16);
            attention.run(shape, List.of(stream(Tensor.of(values, 1, n, 48), least)), null);
            attention.run(shape, List.of(stream(Tensor.of(zeros, 1, n, 48), none)), null);
        }
        assertThat(least.toArray()).isEqualTo(none.toArray());
    }

    @Test
    void mayWriteOverQ() {
        AttentionCase problem = AttentionCase.of(2, 3, 24, 130, 71).norm(DType.F32);
        AttentionCase.Arguments arguments = problem.arguments();
        List<AttentionStream> inPlace = arguments.streams().stream().map(
                s -> AttentionStream.of(s.q(), s.k(), s.v(), s.q()).withNorms(s.qNorm(), s.kNorm())).toList();
        try (Cpu cpu = new Cpu(2, Precision.F32)) {
            new CpuAttention(cpu).run(problem.shape(), inPlace, null);
        }
        assertSame(inPlace.stream().map(s -> s.q().toArray()).toList(), problem.run(1, Precision.F32));
    }

    /** Keys of a stream that does not ask are those of one whose answers nobody reads. */
    @ParameterizedTest
    @EnumSource
    void crossAttentionIsAPartOfTheWhole(CpuLevel level) {
        Levels.assume(level);
        AttentionCase problem = AttentionCase.of(2, 2, 64, 77);
        Tensor q = Tensor.of(AttentionCase.gaussian(new Random(4), 2 * 77 * 128, 1), 2, 77, 128);
        for (Precision precision : TestTensors.CPU_PRECISIONS) {
            AttentionStream text = problem.arguments().streams().getFirst();
            Tensor whole = Tensor.of(new float[2 * 77 * 128], 2, 77, 128);
            Tensor cross = Tensor.of(new float[2 * 77 * 128], 2, 77, 128);
            try (Cpu cpu = new Cpu(2, precision, level)) {
                CpuAttention attention = new CpuAttention(cpu);
                attention.run(problem.shape(), List.of(AttentionStream.of(q, text.k(), text.v(), whole)), null);
                attention.run(problem.shape(), List.of(AttentionStream.asked(text.k(), text.v()),
                        AttentionStream.asking(q, cross)), null);
            }
            assertThat(cross.toArray()).isEqualTo(whole.toArray());
        }
    }

    @Test
    void writesNothingBesideItsColumns() {
        float[] wide = new float[3 * 10];
        Arrays.fill(wide, 7);
        Tensor x = Tensor.of(AttentionCase.gaussian(new Random(1), 3 * 8, 1), 1, 3, 8);
        try (Cpu cpu = new Cpu(1, Precision.F32)) {
            new CpuAttention(cpu).run(AttentionShape.of(1, 2, 4),
                    List.of(AttentionStream.of(x, x, x, Tensor.of(wide, 1, 3, 10).columns(1, 9))), null);
        }
        for (int row = 0; row < 3; row++) {
            assertThat(wide[row * 10]).isEqualTo(7);
            assertThat(wide[row * 10 + 9]).isEqualTo(7);
        }
    }

    /** One key wins by far, so the answer is its value, and nothing overflows on the way. */
    @Test
    void survivesLogitsOfAnySize() {
        int n = 200;
        float[] q = new float[n * 8];
        float[] k = new float[n * 8];
        float[] v = new float[n * 8];
        Arrays.fill(q, 1e15f);
        for (int i = 0; i < n; i++) {
            Arrays.fill(k, i * 8, i * 8 + 8, i == 133 ? 1e15f : -1e15f * (i + 1));
            Arrays.fill(v, i * 8, i * 8 + 8, i);
        }
        Tensor out = Tensor.of(new float[n * 8], 1, n, 8);
        try (Cpu cpu = new Cpu(1, Precision.F32)) {
            new CpuAttention(cpu).run(AttentionShape.of(1, 1, 8), List.of(AttentionStream.of(
                    Tensor.of(q, 1, n, 8), Tensor.of(k, 1, n, 8), Tensor.of(v, 1, n, 8), out)), null);
        }
        assertThat(out.toArray()).containsOnly(133f);
    }

    @Test
    void readsTheRelativeBiasByKeyMinusQuery() {
        int n = 70;
        float[] bias = new float[2 * n - 1];
        Arrays.fill(bias, -1000);
        bias[3 + n - 1] = 0;
        float[] v = new float[n];
        for (int i = 0; i < n; i++) {
            v[i] = i;
        }
        Tensor zero = Tensor.of(new float[n], 1, n, 1);
        Tensor out = Tensor.of(new float[n], 1, n, 1);
        try (Cpu cpu = new Cpu(1, Precision.F32)) {
            new CpuAttention(cpu).run(AttentionShape.of(1, 1, 1),
                    List.of(AttentionStream.of(zero, zero, Tensor.of(v, 1, n, 1), out)),
                    Tensor.of(bias, 1, 2 * n - 1));
        }
        for (int i = 0; i < n - 3; i++) {
            assertThat(out.get(i, 0)).isEqualTo(i + 3);
        }
    }

    @Test
    void aQueryThatSeesNoKeyGetsZeros() {
        int n = 70;
        float[] bias = new float[2 * n - 1];
        Arrays.fill(bias, Float.NEGATIVE_INFINITY);
        bias[50 + n - 1] = 0;
        float[] v = new float[n];
        float[] expected = new float[n];
        for (int i = 0; i < n; i++) {
            v[i] = i;
            expected[i] = i < n - 50 ? i + 50 : 0;
        }
        Tensor zero = Tensor.of(new float[n], 1, n, 1);
        Tensor out = Tensor.of(new float[n], 1, n, 1);
        try (Cpu cpu = new Cpu(1, Precision.F32)) {
            new CpuAttention(cpu).run(AttentionShape.of(1, 1, 1),
                    List.of(AttentionStream.of(zero, zero, Tensor.of(v, 1, n, 1), out)),
                    Tensor.of(bias, 1, 2 * n - 1));
        }
        assertThat(out.toArray()).isEqualTo(expected);
    }

    /** Keys that do not exist are as if they were not there, whatever lies in their place. */
    @ParameterizedTest
    @EnumSource
    void missingKeysAreNotRead(CpuLevel level) {
        Levels.assume(level);
        int n = 400;
        Tensor q = Tensor.of(AttentionCase.gaussian(new Random(5), 2 * 70 * 144, 1), 2, 70, 144);
        Tensor k = Tensor.of(AttentionCase.gaussian(new Random(6), 2 * n * 144, 1), 2, n, 144);
        Tensor v = Tensor.of(AttentionCase.gaussian(new Random(7), 2 * n * 144, 1), 2, n, 144);
        int[] counts = {195, 20};
        for (int b = 0; b < 2; b++) {
            for (int row = b * n + counts[b]; row < (b + 1) * n; row++) {
                for (int c = 0; c < 144; c++) {
                    k.set(row, c, Float.NaN);
                    v.set(row, c, Float.POSITIVE_INFINITY);
                }
            }
        }
        AttentionShape shape = AttentionShape.of(2, 2, 72);
        for (Precision precision : TestTensors.CPU_PRECISIONS) {
            Tensor counted = Tensor.of(new float[2 * 70 * 144], 2, 70, 144);
            Tensor cut = Tensor.of(new float[70 * 144], 1, 70, 144);
            try (Cpu cpu = new Cpu(2, precision, level)) {
                CpuAttention attention = new CpuAttention(cpu);
                attention.run(shape, List.of(AttentionStream.asking(q, counted), AttentionStream.asked(k, v)
                        .withKeyCounts(AttentionCase.integers(List.of(counts[0], counts[1])))), null);
                for (int b = 0; b < 2; b++) {
                    attention.run(AttentionShape.of(1, 2, 72), List.of(
                            AttentionStream.asking(q.slice(b, b + 1), cut),
                            AttentionStream.asked(first(k, b, counts[b]), first(v, b, counts[b]))), null);
                    assertThat(counted.slice(b, b + 1).toArray()).isEqualTo(cut.toArray());
                }
            }
        }
    }

    /** The first tokens of a sequence. */
    private static Tensor first(Tensor tensor, int sequence, int count) {
        Tensor all = tensor.slice(sequence, sequence + 1);
        return new Tensor(all.data(), all.type(), Shape.of(1, count, all.cols()), all.rowStride());
    }

    @Test
    void nothingAskedIsNothingDone() {
        Tensor x = Tensor.of(new float[16], 1, 2, 8);
        Tensor none = Tensor.of(new float[0], 1, 0, 8);
        try (Cpu cpu = new Cpu(1, Precision.F32)) {
            CpuAttention attention = new CpuAttention(cpu);
            attention.run(AttentionShape.of(1, 1, 8), List.of(AttentionStream.of(null, x, x, null)), null);
            attention.run(AttentionShape.of(1, 1, 8), List.of(AttentionStream.of(none, none, none, none)), null);
        }
        assertThat(x.toArray()).containsOnly(0);
    }

    @Test
    void namesBothShapesOfAMismatch() {
        Tensor x = Tensor.of(new float[40], 1, 5, 8);
        Tensor shorter = Tensor.of(new float[32], 1, 4, 8);
        Tensor half = new Tensor(x.data(), DType.BF16, x.shape(), 8);
        AttentionStream plain = AttentionStream.of(x, x, x, x);
        assertRefused(List.of(AttentionStream.of(shorter, x, x, x)), null, "q of stream 0 is F32[1, 4, 8]",
                "[1, 5, 8]");
        assertRefused(List.of(AttentionStream.of(x, x, shorter, x)), null, "v of stream 0 is F32[1, 4, 8]",
                "[1, 5, 8]");
        assertRefused(List.of(AttentionStream.of(x, x, x, shorter)), null, "out", "F32[1, 4, 8]", "[1, 5, 8]");
        assertRefused(List.of(plain, AttentionStream.of(x, half, x, x)), null, "k of stream 1 is BF16[1, 5, 8]",
                "F32[1, 5, 8]");
        assertRefused(List.of(AttentionStream.of(x, x.reshape(5, 8), x, x)), null, "F32[5, 8]", "[1, n, 8]");
        assertRefused(List.of(plain.withNorms(shorter, null)), null, "q norm", "F32[1, 4, 8]", "[4]");
        assertRefused(List.of(plain.withNorms(null, shorter)), null, "k norm", "F32[1, 4, 8]", "[4]");
        assertRefused(List.of(plain), shorter, "relative bias", "F32[1, 4, 8]", "[2, 9]");
        assertRefused(List.of(plain, plain), shorter, "relative bias", "single stream", "2");
        assertRefused(List.of(), null, "no stream");
        assertRefused(List.of(AttentionStream.asking(x, x)), null, "no keys for 5 queries");
        assertRefused(List.of(AttentionStream.asking(x, shorter), AttentionStream.asked(x, x)), null, "out of stream 0",
                "F32[1, 4, 8]", "[1, 5, 8]");
        assertRefused(List.of(AttentionStream.asking(half, half), AttentionStream.asked(half, half)), null,
                "q of stream 0 is BF16[1, 5, 8]", "needs F32");
        assertRefused(List.of(plain.withRotary(x)), null, "rotary table of stream 0 is F32[1, 5, 8]", "F32[5, 4]");
        assertRefused(List.of(plain.withRotary(half.reshape(10, 4))), null, "rotary table", "BF16[10, 4]", "F32[5, 4]");
        assertRefused(List.of(plain.withKeyCounts(x)), null, "key counts of stream 0 is F32[1, 5, 8]", "I32[1]");
        assertRefused(List.of(plain.withKeyCounts(AttentionCase.integers(List.of(5, 5)))), null, "I32[2]", "I32[1]");
        assertRefused(List.of(plain, plain.withKeyCounts(AttentionCase.integers(List.of(6)))), null,
                "key count 0 of stream 1 is 6, needs 0 to 5");
        assertRefused(List.of(plain.withKeyCounts(AttentionCase.integers(List.of(-1)))), null,
                "key count 0 of stream 0 is -1, needs 0 to 5");
        assertRefused(List.of(AttentionStream.asking(x, x).withKeyCounts(AttentionCase.integers(List.of(5))), plain),
                null, "stream 0 has key counts, but no keys");
        assertRefused(AttentionShape.of(1, 8, 1), List.of(plain.withRotary(x)), null, "stream 0 has a rotary table",
                "heads have 1, an odd number");
        assertRefused(AttentionShape.of(1, 2, 4).withLayerNorm(1e-5f),
                List.of(plain, plain.withNorms(null, Tensor.of(new float[4], 4))), null,
                "stream 1 has weights of an RMS norm", "LayerNorm");
        assertThatThrownBy(() -> AttentionStream.of(x, x, null, x)).hasMessage("k and v come together");
        assertThatThrownBy(() -> AttentionStream.of(x, x, x, null)).hasMessage("q and out come together");
        assertThatThrownBy(() -> AttentionStream.of(null, null, null, null)).hasMessageContaining("all of them");
    }

    /** The address is never read: the sizes alone are too much. */
    @Test
    void refusesMoreThanAnArrayHolds() {
        Tensor huge = Tensor.of(MemorySegment.NULL.reinterpret(8L << 30), DType.F32, Shape.of(1, 1 << 22, 1 << 9));
        try (Cpu cpu = new Cpu(1, Precision.F32)) {
            CpuAttention attention = new CpuAttention(cpu);
            List<AttentionStream> streams = List.of(AttentionStream.of(huge, huge, huge, huge));
            assertThatThrownBy(() -> attention.run(AttentionShape.of(1, 1, 1 << 9), streams, null))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContainingAll("attention", "4194304 keys of 512 channels");
        }
    }

    private static void assertRefused(List<AttentionStream> streams, Tensor bias, String... says) {
        assertRefused(AttentionShape.of(1, 2, 4), streams, bias, says);
    }

    private static void assertRefused(AttentionShape shape, List<AttentionStream> streams, Tensor bias,
                                      String... says) {
        try (Cpu cpu = new Cpu(1, Precision.F32)) {
            CpuAttention attention = new CpuAttention(cpu);
            assertThatThrownBy(() -> attention.run(shape, streams, bias))
                    .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("attention")
                    .hasMessageContainingAll(says);
        }
    }
}
