package jdiffusion.kernels.attention;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.List;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.cpu.InterpretedCpu;
import jdiffusion.kernels.machine.CpuLevel;
import jdiffusion.kernels.machine.Levels;
import jdiffusion.tensor.DType;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Attention on AMX's tiles, whose machine code is interpreted, so on every machine. */
class TiledAttentionTest {
    /** Whole and ragged blocks of keys, odd heads, masks, biases, a norm, several streams. */
    static List<AttentionCase> problems() {
        return List.of(AttentionCase.of(1, 1, 64, 32), AttentionCase.of(1, 1, 7, 1),
                AttentionCase.of(2, 1, 24, 70).causal(), AttentionCase.of(1, 2, 33, 35).biased(),
                AttentionCase.of(1, 1, 64, 20, 193).norm(DType.BF16).silent(1), AttentionCase.of(1, 1, 16, 9, 30));
    }

    private static List<float[]> interpreted(AttentionCase problem, int threads) {
        try (Cpu cpu = InterpretedCpu.withTiles(threads)) {
            return problem.run(cpu);
        }
    }

    @ParameterizedTest
    @MethodSource("problems")
    void isAsCloseToTheDefinitionAsNaiveCode(AttentionCase problem) {
        List<double[]> exact = AttentionReference.exact(problem);
        List<double[]> naive = AttentionReference.naive(problem, Precision.BF16);
        List<float[]> actual = interpreted(problem, 2);
        assertThat(actual).hasSameSizeAs(exact);
        for (int s = 0; s < exact.size(); s++) {
            double naiveError = 0;
            for (int i = 0; i < exact.get(s).length; i++) {
                naiveError = Math.max(naiveError, Math.abs(naive.get(s)[i] - exact.get(s)[i]));
            }
            float[] values = actual.get(s);
            double[] widened = new double[values.length];
            Arrays.setAll(widened, i -> values[i]);
            assertThat(widened).as("%s, stream %d of the asking", problem, s)
                    .containsExactly(exact.get(s), within(2 * naiveError + 1e-6));
        }
    }

    /** The interpreter and the CPU that it stands for. */
    @ParameterizedTest
    @MethodSource("problems")
    void tilesOfTheCpuGiveTheSameBits(AttentionCase problem) {
        Levels.assume(CpuLevel.AMX);
        List<float[]> run = problem.run(2, Precision.BF16, CpuLevel.AMX);
        List<float[]> interpreted = interpreted(problem, 1);
        for (int s = 0; s < run.size(); s++) {
            assertThat(run.get(s)).isEqualTo(interpreted.get(s));
        }
    }
}
