package jdiffusion.kernels.attention;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.List;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.cpu.InterpretedCpu;
import jdiffusion.kernels.machine.CpuLevel;
import jdiffusion.kernels.machine.Levels;
import jdiffusion.tensor.DType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What attention on AMX's tiles keeps of its probabilities, its machine code interpreted, so on every machine. */
class TiledAttentionLookTest {
    /** Whole and ragged chunks of keys, several of them, keys that are missing, and queries without any key. */
    static List<AttentionCase> cases() {
        return List.of(AttentionCase.of(1, 2, 64, 97), AttentionCase.of(2, 1, 24, 40, 30).norm(DType.F32),
                AttentionCase.of(1, 1, 7, 33), AttentionCase.of(1, 1, 32, 256), AttentionCase.cross(1, 1, 32, 35, 530),
                AttentionCase.of(1, 1, 128, 40, 33).norm(DType.BF16).turned(0),
                AttentionCase.of(1, 1, 72, 50, 20).norm(DType.F32).turned(0, 1).silent(1),
                AttentionCase.of(1, 1, 160, 37).layerNorm(), AttentionCase.cross(1, 2, 40, 33, 1),
                AttentionCase.of(3, 1, 64, 20, 250).counts(0, 0, 1, 20).counts(1, 0, 250, 0));
    }

    /** The probabilities, by its log sums, are those of a naive softmax; looking changes no bit of the output. */
    @ParameterizedTest
    @MethodSource("cases")
    void isANaiveSoftmax(AttentionCase problem) {
        for (DType stored : new DType[] {DType.F32, DType.BF16}) {
            try (Cpu cpu = InterpretedCpu.withTiles(2)) {
                assumeTrue(cpu.products().inPairs(), "no pairs with vectors of this width");
                AttentionLookTest.check(cpu, problem, Precision.BF16, () -> problem.arguments(DType.BF16, stored));
            }
        }
    }

    @Test
    void doesNotDependOnTheThreads() {
        AttentionCase problem = AttentionCase.of(2, 3, 32, 70, 33).norm(DType.F32);
        assertThat(interpreted(problem, 3)).usingRecursiveComparison().isEqualTo(interpreted(problem, 1));
    }

    private static AttentionLookCase interpreted(AttentionCase problem, int threads) {
        try (Cpu cpu = InterpretedCpu.withTiles(threads)) {
            return AttentionLookCase.onCpu(new CpuAttention(cpu), problem.shape(), problem.arguments());
        }
    }

    /** The interpreter and the CPU that it stands for. */
    @ParameterizedTest
    @MethodSource("cases")
    void tilesOfTheCpuGiveTheSameBits(AttentionCase problem) {
        Levels.assume(CpuLevel.AMX);
        try (Cpu cpu = new Cpu(2, Precision.BF16, CpuLevel.AMX)) {
            assertThat(AttentionLookCase.onCpu(new CpuAttention(cpu), problem.shape(), problem.arguments()))
                    .usingRecursiveComparison().isEqualTo(interpreted(problem, 2));
        }
    }
}
