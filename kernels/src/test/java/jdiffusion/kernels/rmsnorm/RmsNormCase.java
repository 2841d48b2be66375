package jdiffusion.kernels.rmsnorm;

import jdiffusion.kernels.Samples;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;

/** What test and benchmark run. */
enum RmsNormCase {
    ONE_CHANNEL(3, 1, DType.F32, 1),
    RAGGED_5(6, 5, DType.F8_E4M3, 1),
    RAGGED_63(7, 63, DType.F8_E5M2, 1),
    RAGGED_64(8, 64, DType.F16, 1),
    RAGGED_65(900, 65, DType.BF16, 1),
    LARGE_VALUES(9, 1536, DType.BF16, 3e4),
    T5(512, 4096, DType.BF16, 20);

    final int rows;
    final int c;
    final Tensor weight;
    private final double deviation;

    RmsNormCase(int rows, int c, DType type, double deviation) {
        this.rows = rows;
        this.c = c;
        this.deviation = deviation;
        this.weight = Samples.stored(type, Samples.normal(1, c, 1, 0.3), c);
    }

    float[] x() {
        return Samples.normal(2, (long) rows * c, 0.1, deviation);
    }

    long bytes() {
        return 2L * Float.BYTES * rows * c;
    }
}
