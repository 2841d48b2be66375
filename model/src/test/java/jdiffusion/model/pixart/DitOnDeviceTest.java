package jdiffusion.model.pixart;

import static org.assertj.core.api.Assertions.assertThat;

import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.EmulatedCuda;
import jdiffusion.model.OnEmulatedDevice;
import org.junit.jupiter.api.Test;

/** The transformer by the CUDA kernels on the emulated device: as exact as its products' inputs allow. */
@OnEmulatedDevice
class DitOnDeviceTest {
    private static final int[] SEEDS = {1, 2};

    private static float[] evaluate(Backend backend) {
        float[][] result = new float[1][];
        TinyDit.run(backend, stage -> result[0] = TinyDit.evaluate(stage.compute(), stage.model(), 5, SEEDS));
        return result[0];
    }

    private static float[] onCpu(Precision precision) {
        try (Backend backend = new CpuBackend(2, precision)) {
            return evaluate(backend);
        }
    }

    private static double rms(float[] a, float[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += Math.pow(a[i] - b[i], 2);
        }
        return Math.sqrt(sum / a.length);
    }

    @Test
    void isOffByAtMostTwiceTheRoundingOfInputs() {
        float[] exact = onCpu(Precision.F32);
        double rounding = rms(onCpu(Precision.BF16), exact);
        assertThat(rounding).isPositive();
        try (EmulatedCuda cuda = EmulatedCuda.open(Precision.BF16, true)) {
            assertThat(rms(evaluate(cuda.backend()), exact)).isLessThanOrEqualTo(2 * rounding);
            assertThat(cuda.allocatedBytes()).isZero();
        }
        try (EmulatedCuda cuda = EmulatedCuda.open(Precision.F16, false)) {
            assertThat(rms(evaluate(cuda.backend()), exact)).isLessThanOrEqualTo(rounding);
        }
    }
}
