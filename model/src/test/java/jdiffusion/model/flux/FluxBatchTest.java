package jdiffusion.model.flux;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A prediction of the transformer has the same bytes with any number of threads and at any place in a batch. */
class FluxBatchTest {
    private static float[] evaluate(Precision precision, int threads, int... seeds) {
        float[][] result = new float[1][];
        try (CpuBackend backend = new CpuBackend(threads, precision)) {
            TinyFlux.run(backend, stage -> result[0] = TinyFlux.evaluate(stage.compute(), stage.model(), seeds));
        }
        return result[0];
    }

    @ParameterizedTest
    @EnumSource(value = Precision.class, names = {"F32", "BF16"})
    void doesNotDependOnThreadsOrPlace(Precision precision) {
        int[] seeds = {11, 12, 13};
        float[] all = evaluate(precision, 1, seeds);
        for (float value : all) {
            assertThat(value).isFinite();
        }
        assertThat(evaluate(precision, 3, seeds)).isEqualTo(all);
        for (int i = 0; i < seeds.length; i++) {
            float[] own = Arrays.copyOfRange(all, i * TinyFlux.IMAGE, (i + 1) * TinyFlux.IMAGE);
            assertThat(evaluate(precision, 2, seeds[i])).as("alone, place %d", i).isEqualTo(own);
            float[] pair = evaluate(precision, 2, 99, seeds[i]);
            assertThat(Arrays.copyOfRange(pair, TinyFlux.IMAGE, pair.length)).as("second, place %d", i).isEqualTo(own);
            assertThat(Arrays.copyOf(pair, TinyFlux.IMAGE)).isNotEqualTo(own);
        }
    }
}
