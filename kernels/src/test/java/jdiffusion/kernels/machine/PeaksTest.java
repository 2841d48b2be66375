package jdiffusion.kernels.machine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Whether the loops of the peaks do as many operations as they say, counted one instruction after the other. */
class PeaksTest {
    private static final int ROUNDS = 3;

    private final List<InterpretedFunction> loops = new ArrayList<>();

    private MachineCall interpreted(Consumer<Assembler> body) {
        loops.add(new InterpretedFunction(body));
        return loops.getLast();
    }

    static Stream<Arguments> levels() {
        return Stream.of(Arguments.of(CpuLevel.AVX512BF16, true, 64), Arguments.of(CpuLevel.AVX512BF16, false, 32),
                Arguments.of(CpuLevel.AVX512, false, 32), Arguments.of(CpuLevel.AVX2, false, 16));
    }

    @ParameterizedTest
    @MethodSource("levels")
    void ofRegisters(CpuLevel level, boolean pairs, int flops) {
        try (RegisterPeak peak = new RegisterPeak(level, pairs, ROUNDS, this::interpreted)) {
            assertThat(peak.run()).isEqualTo((long) ROUNDS * 4 * 12 * flops).isEqualTo(loops.getFirst().flops());
        }
    }

    @ParameterizedTest
    @MethodSource("levels")
    void ofRegistersOnThisCpu(CpuLevel level, boolean pairs, int flops) {
        Levels.assume(level);
        try (RegisterPeak peak = new RegisterPeak(level, pairs)) {
            assertThat(peak.run()).isEqualTo(1_000L * 4 * 12 * flops);
        }
    }

    @Test
    void ofTiles() {
        try (TilePeak peak = new TilePeak(ROUNDS, this::interpreted)) {
            assertThat(peak.run()).isPositive().isEqualTo(loops.getFirst().flops());
        }
    }
}
