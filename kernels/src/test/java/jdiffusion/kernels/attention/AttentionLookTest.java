package jdiffusion.kernels.attention;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.stream.Stream;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.TestTensors;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.machine.CpuLevel;
import jdiffusion.kernels.machine.Levels;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class AttentionLookTest {
    static Stream<AttentionCase> cases() {
        return AttentionLookCase.cases().stream();
    }

    private static DType input(Precision precision) {
        return precision == Precision.BF16 ? DType.BF16 : DType.F32;
    }

    /** The probabilities are those of a naive softmax, and the output is the same to the bit as without looking. */
    @ParameterizedTest
    @MethodSource("cases")
    void isANaiveSoftmax(AttentionCase problem) {
        for (Precision precision : TestTensors.CPU_PRECISIONS) {
            check(problem, precision, CpuLevel.best());
        }
    }

    @ParameterizedTest
    @EnumSource
    void everyLevelIs(CpuLevel level) {
        Levels.assume(level);
        for (AttentionCase problem : List.of(AttentionCase.of(1, 2, 64, 97), AttentionCase.of(1, 1, 24, 33, 20),
                AttentionCase.of(2, 1, 64, 40, 70).norm(DType.F32).turned(0).counts(1, 5, 70))) {
            check(problem, Precision.BF16, level);
            check(problem, Precision.F32, level);
        }
    }

    private static void check(AttentionCase problem, Precision precision, CpuLevel level) {
        try (Cpu cpu = new Cpu(2, precision, level)) {
            DType input = input(precision);
            CpuAttention attention = new CpuAttention(cpu);
            AttentionCase.Arguments arguments = problem.arguments(input);
            double[][][] expected = AttentionReference.probabilities(problem.shape(), arguments, input);
            AttentionLookCase actual = AttentionLookCase.onCpu(attention, problem.shape(), arguments);
            actual.check(problem, expected, AttentionLookCase.isExact(problem, input));
            AttentionCase.Arguments plain = problem.arguments(input);
            attention.run(problem.shape(), plain.streams(), null);
            AttentionReference.assertSame(actual.outputs(), plain.outputs());
        }
    }

    @Test
    void doesNotDependOnTheThreads() {
        AttentionCase problem = AttentionCase.of(2, 3, 64, 70, 33).norm(DType.F32);
        for (Precision precision : TestTensors.CPU_PRECISIONS) {
            run(problem, precision, 3).assertSame(run(problem, precision, 1));
        }
    }

    private static AttentionLookCase run(AttentionCase problem, Precision precision, int threads) {
        try (Cpu cpu = new Cpu(threads, precision)) {
            return AttentionLookCase.onCpu(new CpuAttention(cpu), problem.shape(), problem.arguments());
        }
    }

    @Test
    void readsBf16WhereItIsStoredSo() {
        AttentionCase problem = AttentionCase.of(1, 2, 64, 70, 33);
        try (Cpu cpu = new Cpu(1, Precision.BF16)) {
            if (!cpu.products().inPairs()) {
                return;
            }
            CpuAttention attention = new CpuAttention(cpu);
            AttentionCase.Arguments arguments = problem.arguments(DType.BF16, DType.BF16);
            AttentionLookCase.onCpu(attention, problem.shape(), arguments).check(problem,
                    AttentionReference.probabilities(problem.shape(), problem.arguments(DType.BF16), DType.BF16), true);
        }
    }

    @Test
    void namesWhatCannotBeLookedAt() {
        try (Cpu cpu = new Cpu(1, Precision.F32)) {
            CpuAttention attention = new CpuAttention(cpu);
            Tensor x = Tensor.of(new float[40], 1, 5, 8);
            Tensor out = Tensor.of(new float[40], 1, 5, 8);
            AttentionShape shape = AttentionShape.of(1, 2, 4);
            AttentionLook look = new AttentionLook(Tensor.of(new float[10], 1, 2, 5), null, null, null, null);
            assertThatThrownBy(() -> attention.lookAt(shape, List.of(AttentionStream.of(x, x, x, x)), look))
                    .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("out is q");
            assertThatThrownBy(() -> attention.lookAt(shape.withCausal(), List.of(AttentionStream.of(x, x, x, out)),
                    look)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("causal");
            AttentionLook small = new AttentionLook(Tensor.of(new float[8], 1, 2, 4), null, null, null, null);
            assertThatThrownBy(() -> attention.lookAt(shape, List.of(AttentionStream.of(x, x, x, out)), small))
                    .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("log sums is F32[1, 2, 4]")
                    .hasMessageContaining("needs F32[1, 2, 5]");
        }
    }
}
