package jdiffusion.kernels.machine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Whether the loop does what it says it does: neither faster than any core could, nor held up by itself. */
class RegisterPeakTest {
    /** Multiply-adds on vectors that a core can begin in a cycle, and cycles a second, of any CPU of today. */
    private static final double MOST_A_SECOND = 2 * 7e9;
    /** A loop whose sums waited for each other would begin one in four cycles of 1 GHz or more. */
    private static final double LEAST_A_SECOND = 0.25e9;

    static Stream<Arguments> levels() {
        return Stream.of(Arguments.of(CpuLevel.AVX512BF16, true, 64), Arguments.of(CpuLevel.AVX512BF16, false, 32),
                Arguments.of(CpuLevel.AVX512, false, 32), Arguments.of(CpuLevel.AVX2, false, 16));
    }

    @ParameterizedTest
    @MethodSource("levels")
    void isThatOfACore(CpuLevel level, boolean pairs, int flops) {
        Levels.assume(level);
        try (RegisterPeak peak = new RegisterPeak(level, pairs)) {
            assertThat(peak.run()).isEqualTo(1_000L * 4 * 12 * flops);
            double best = 0;
            for (int round = 0; round < 200; round++) {
                long start = System.nanoTime();
                long done = 0;
                for (int i = 0; i < 10; i++) {
                    done += peak.run();
                }
                best = Math.max(best, done * 1e9 / (System.nanoTime() - start));
            }
            assertThat(best / flops).isBetween(LEAST_A_SECOND, MOST_A_SECOND);
        }
    }
}
