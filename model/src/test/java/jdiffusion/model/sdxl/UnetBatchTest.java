package jdiffusion.model.sdxl;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A prediction of the UNet has the same bytes with any number of threads and at any place in a batch. */
class UnetBatchTest {
    private static float[] evaluate(Precision precision, int threads, int... seeds) {
        float[][] result = new float[1][];
        try (CpuBackend backend = new CpuBackend(threads, precision)) {
            TinyUnet.run(backend, stage -> result[0] = TinyUnet.evaluate(stage.compute().backend(), stage.compute(),
                    stage.model(), seeds));
        }
        return result[0];
    }

    @ParameterizedTest
    @EnumSource(value = Precision.class, names = {"F32", "BF16"})
    void doesNotDependOnThreadsOrPlace(Precision precision) {
        int[] seeds = {11, 12, 13, 14, 15};
        float[] all = evaluate(precision, 1, seeds);
        for (float value : all) {
            assertThat(value).isFinite();
        }
        for (int threads : new int[] {2, 3, 5}) {
            assertThat(evaluate(precision, threads, seeds)).as("%d threads", threads).isEqualTo(all);
        }
        for (int i = 0; i < seeds.length; i++) {
            float[] own = Arrays.copyOfRange(all, i * TinyUnet.IMAGE, (i + 1) * TinyUnet.IMAGE);
            assertThat(evaluate(precision, 2, seeds[i])).as("alone, place %d", i).isEqualTo(own);
            float[] pair = evaluate(precision, 3, 99, seeds[i]);
            assertThat(Arrays.copyOfRange(pair, TinyUnet.IMAGE, pair.length)).as("second, place %d", i).isEqualTo(own);
            assertThat(Arrays.copyOf(pair, TinyUnet.IMAGE)).isNotEqualTo(own);
        }
    }
}
