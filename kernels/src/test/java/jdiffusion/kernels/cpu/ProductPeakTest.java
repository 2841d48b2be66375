package jdiffusion.kernels.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.machine.CpuLevel;
import jdiffusion.kernels.machine.Levels;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Whether there is a peak at every level, with as many threads as are asked for. How high it may be is up to the CPU;
 * the operations that its loops count are checked in {@code PeaksTest}.
 */
class ProductPeakTest {
    @ParameterizedTest
    @EnumSource
    void isMeasured(CpuLevel level) {
        Levels.assume(level);
        // The vectors' peak is one for all precisions, and takes seconds where the CPU has no vectors of this width.
        List<Precision> precisions = level == CpuLevel.VECTOR ? List.of(Precision.F32)
                : List.of(Precision.F32, Precision.BF16);
        for (Precision precision : precisions) {
            for (int threads = 1; threads <= 2; threads++) {
                try (CpuBackend backend = new CpuBackend(threads, precision, level)) {
                    assertThat(backend.measurePeak()).as("%s %s, %s threads", level, precision, threads).isPositive()
                            .isFinite();
                }
            }
        }
    }
}
