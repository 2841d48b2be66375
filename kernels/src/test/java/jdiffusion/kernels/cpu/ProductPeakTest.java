package jdiffusion.kernels.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import jdiffusion.kernels.Precision;
import jdiffusion.kernels.machine.CpuLevel;
import jdiffusion.kernels.machine.Levels;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Whether the peak is one that threads of a core each can reach, and no loop that is not compiled. */
class ProductPeakTest {
    /** Vector operations that a core can begin in a second, at most, and on a busy machine at least. */
    private static final double MOST = 2 * 7e9;
    private static final double LEAST = 2e7;

    @ParameterizedTest
    @EnumSource
    void isThatOfItsThreads(CpuLevel level) {
        Levels.assume(level);
        for (Precision precision : new Precision[] {Precision.F32, Precision.BF16}) {
            for (int threads = 1; threads <= 2; threads++) {
                try (CpuBackend backend = new CpuBackend(threads, precision, level); Cpu cpu = new Cpu(1, precision,
                        level)) {
                    int lanes = level == CpuLevel.VECTOR ? Simd.LANES : level == CpuLevel.AVX2 ? 8 : 16;
                    double flops = 2.0 * lanes * (cpu.products().inPairs() ? 2 : 1);
                    assertThat(backend.measurePeak() / flops).as("%s %s, %s threads", level, precision, threads)
                            .isBetween(LEAST, threads * MOST);
                }
            }
        }
    }
}
