package jdiffusion.kernels.attention;

import static jdiffusion.kernels.attention.AttentionReference.assertSame;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.TestTensors;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.machine.CpuLevel;
import jdiffusion.kernels.machine.Levels;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Attention of the CPU on q, k, v and out in bfloat16: where products are in pairs of it, and nowhere else. */
class Bf16AttentionTest {
    private static final CpuLevel LEAST = CpuLevel.AVX512BF16;

    /** Beside those of float32: norms of whole vectors, with whole blocks of keys and without. */
    static List<AttentionCase> problems() {
        List<AttentionCase> problems = new ArrayList<>(AttentionCase.ragged());
        problems.addAll(AttentionCase.ofFamilies());
        problems.addAll(List.of(AttentionCase.of(1, 2, 64, 400, 33).norm(DType.F32),
                AttentionCase.of(2, 1, 32, 200).norm(DType.BF16),
                AttentionCase.of(1, 1, 96, 193).norm(DType.F32).causal(),
                AttentionCase.of(1, 2, 64, 5, 1, 250).norm(DType.F16).silent(1),
                AttentionCase.of(1, 1, 33, 200).norm(DType.F32).biased()));
        return problems;
    }

    /** Narrow vectors have no pairs, whatever the CPU has. */
    private static void assumePairs(CpuLevel level) {
        Levels.assume(level);
        assumeTrue(inPairs(Precision.BF16, level), () -> level.label() + ": no pairs with vectors of this width");
    }

    private static boolean inPairs(Precision precision, CpuLevel level) {
        try (Cpu cpu = new Cpu(1, precision, level)) {
            return cpu.products().inPairs();
        }
    }

    private static List<float[]> run(AttentionCase problem, int threads, CpuLevel level) {
        try (Cpu cpu = new Cpu(threads, Precision.BF16, level)) {
            return problem.run(cpu, problem.arguments(DType.BF16, DType.BF16));
        }
    }

    @ParameterizedTest
    @MethodSource("problems")
    void isAsCloseToTheDefinitionAsNaiveCode(AttentionCase problem) {
        assumePairs(LEAST);
        isAsCloseAsNaiveCode(problem, LEAST);
    }

    @ParameterizedTest
    @EnumSource(names = {"AVX512BF16", "AMX"})
    void everyLevelIsAsClose(CpuLevel level) {
        assumePairs(level);
        for (AttentionCase problem : List.of(AttentionCase.of(1, 2, 64, 96, 230).norm(DType.F32),
                AttentionCase.of(1, 1, 7, 101), AttentionCase.of(2, 2, 24, 130).causal(),
                AttentionCase.of(1, 2, 33, 65).biased())) {
            isAsCloseAsNaiveCode(problem, level);
            assertSame(run(problem, 2, level), run(problem, 1, level));
        }
    }

    private static void isAsCloseAsNaiveCode(AttentionCase problem, CpuLevel level) {
        AttentionReference.assertAsClose(problem + " " + level, run(problem, 1, level),
                AttentionReference.naive(problem, DType.BF16), AttentionReference.exact(problem, DType.BF16));
    }

    /** A norm adds its squares in another order, so that only without one all bits are the same. */
    @ParameterizedTest
    @MethodSource("problems")
    void withoutNormIsFloat32sRounded(AttentionCase problem) {
        assumePairs(LEAST);
        AttentionCase plain = problem.norm(null);
        List<float[]> expected;
        try (Cpu cpu = new Cpu(2, Precision.BF16, LEAST)) {
            expected = plain.run(cpu, plain.arguments(DType.BF16));
        }
        for (float[] values : expected) {
            for (int i = 0; i < values.length; i++) {
                values[i] = AttentionCase.rounded(DType.BF16, values[i]);
            }
        }
        assertSame(run(plain, 1, LEAST), expected);
    }

    @Test
    void mayWriteOverQ() {
        assumePairs(LEAST);
        for (AttentionCase problem : List.of(AttentionCase.of(2, 3, 24, 130, 71).norm(DType.F32),
                AttentionCase.of(1, 2, 64, 130, 71).norm(DType.F32), AttentionCase.of(1, 3, 7, 130))) {
            AttentionCase.Arguments arguments = problem.arguments(DType.BF16, DType.BF16);
            List<AttentionStream> inPlace = arguments.streams().stream().map(
                    s -> AttentionStream.of(s.q(), s.k(), s.v(), s.q()).withNorms(s.qNorm(), s.kNorm())).toList();
            try (Cpu cpu = new Cpu(2, Precision.BF16, LEAST)) {
                new CpuAttention(cpu).run(problem.shape(), inPlace, null);
            }
            assertSame(inPlace.stream().map(s -> s.q().toArray()).toList(), run(problem, 1, LEAST));
        }
    }

    @Test
    void writesNothingBesideItsColumns() {
        assumePairs(LEAST);
        for (int channels : new int[] {3, 4, 32}) {
            int width = 2 * channels;
            short[] wide = new short[3 * (width + 2)];
            Arrays.fill(wide, (short) 7);
            Tensor x = TestTensors.random(1, DType.BF16, 1, 1, 3, width);
            Tensor out = Tensor.of(MemorySegment.ofArray(wide), DType.BF16, Shape.of(1, 3, width + 2));
            try (Cpu cpu = new Cpu(1, Precision.BF16, LEAST)) {
                new CpuAttention(cpu).run(AttentionShape.of(1, 2, channels),
                        List.of(AttentionStream.of(x, x, x, out.columns(1, width + 1))), null);
            }
            for (int i = 0; i < wide.length; i++) {
                int column = i % (width + 2);
                boolean beside = column == 0 || column == width + 1;
                assertThat(wide[i] == 7).as("%s channels, column %s", channels, column).isEqualTo(beside);
            }
        }
    }

    /** With pairs, what is refused is another type, or more than one. */
    @ParameterizedTest
    @EnumSource
    void isRefusedWhereItCannotBe(CpuLevel level) {
        Levels.assume(level);
        Tensor half = TestTensors.random(1, DType.BF16, 1, 1, 5, 8);
        Tensor whole = TestTensors.random(1, DType.F32, 1, 1, 5, 8);
        Tensor other = TestTensors.random(1, DType.F16, 1, 1, 5, 8);
        AttentionStream stored = AttentionStream.of(half, half, half, half);
        refuse(level, Precision.F32, List.of(stored), "k of stream 0 is BF16[1, 5, 8], needs F32", "no products");
        refuse(level, Precision.F32, List.of(AttentionStream.of(whole, whole, half, whole)),
                "v of stream 0 is BF16[1, 5, 8], needs F32[1, 5, 8]");
        AttentionStream float16 = AttentionStream.of(other, other, other, other);
        if (!inPairs(Precision.BF16, level)) {
            refuse(level, Precision.BF16, List.of(stored), "k of stream 0 is BF16[1, 5, 8], needs F32", "no products");
            refuse(level, Precision.BF16, List.of(float16), "k of stream 0 is F16[1, 5, 8], needs F32", "no products");
            return;
        }
        refuse(level, Precision.BF16, List.of(float16), "k of stream 0 is F16[1, 5, 8], needs F32 or BF16");
        refuse(level, Precision.BF16, List.of(AttentionStream.of(whole, half, half, half)),
                "q of stream 0 is F32[1, 5, 8], needs BF16[1, 5, 8]");
        refuse(level, Precision.BF16, List.of(AttentionStream.of(half, half, half, whole)),
                "out of stream 0 is F32[1, 5, 8], needs BF16[1, 5, 8]");
        refuse(level, Precision.BF16, List.of(stored, AttentionStream.of(whole, whole, whole, whole)),
                "k of stream 1 is F32[1, 5, 8], needs BF16[1, 5, 8]");
    }

    private static void refuse(CpuLevel level, Precision precision, List<AttentionStream> streams, String... says) {
        try (Cpu cpu = new Cpu(1, precision, level)) {
            CpuAttention attention = new CpuAttention(cpu);
            assertThatThrownBy(() -> attention.run(AttentionShape.of(1, 2, 4), streams, null))
                    .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("attention")
                    .hasMessageContainingAll(says);
        }
    }
}
