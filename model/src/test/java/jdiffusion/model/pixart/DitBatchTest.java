package jdiffusion.model.pixart;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A prediction has the same bytes with any number of threads, at any place in a batch, and whatever padding holds. */
class DitBatchTest {
    private static float[] evaluate(Precision precision, int threads, int padding, int... seeds) {
        float[][] result = new float[1][];
        try (CpuBackend backend = new CpuBackend(threads, precision)) {
            TinyDit.run(backend, stage ->
                    result[0] = TinyDit.evaluate(stage.compute(), stage.model(), padding, seeds));
        }
        return result[0];
    }

    @ParameterizedTest
    @EnumSource(value = Precision.class, names = {"F32", "BF16"})
    void doesNotDependOnThreadsOrPlace(Precision precision) {
        int[] seeds = {11, 12, 13};
        float[] all = evaluate(precision, 1, 7, seeds);
        for (float value : all) {
            assertThat(value).isFinite();
        }
        for (int threads : new int[] {2, 3}) {
            assertThat(evaluate(precision, threads, 8, seeds)).as("%d threads", threads).isEqualTo(all);
        }
        for (int i = 0; i < seeds.length; i++) {
            float[] own = Arrays.copyOfRange(all, i * TinyDit.IMAGE, (i + 1) * TinyDit.IMAGE);
            assertThat(evaluate(precision, 2, 9, seeds[i])).as("alone, place %d", i).isEqualTo(own);
            float[] pair = evaluate(precision, 3, 10, 99, seeds[i]);
            assertThat(Arrays.copyOfRange(pair, TinyDit.IMAGE, pair.length)).as("second, place %d", i).isEqualTo(own);
            assertThat(Arrays.copyOf(pair, TinyDit.IMAGE)).isNotEqualTo(own);
        }
    }
}
