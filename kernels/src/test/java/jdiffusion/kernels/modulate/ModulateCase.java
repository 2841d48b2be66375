package jdiffusion.kernels.modulate;

import jdiffusion.kernels.Samples;
import jdiffusion.tensor.Tensor;

/** What test and benchmark run: rows, channels, batch entries of the modulation. */
enum ModulateCase {
    ONE_CHANNEL(3, 1, 1),
    RAGGED_5(6, 5, 2),
    RAGGED_63(7, 63, 1),
    RAGGED_64(8, 64, 4),
    RAGGED_65(9, 65, 3),
    MANY_ROWS(1100, 48, 2),
    AURAFLOW(8192, 3072, 2);

    final int rows;
    final int c;
    final int batch;

    ModulateCase(int rows, int c, int batch) {
        this.rows = rows;
        this.c = c;
        this.batch = batch;
    }

    float[] x() {
        return Samples.normal(3, (long) rows * c, 0.2, 1.5);
    }

    /** Scale and shift as views, which is how the chunks of one modulation vector arrive. */
    Tensor scale() {
        return Samples.view(Samples.normal(4, (long) batch * c, 0, 0.5), batch, c);
    }

    Tensor shift() {
        return Samples.view(Samples.normal(5, (long) batch * c, 0, 0.5), batch, c);
    }

    long bytes() {
        return 2L * Float.BYTES * rows * c;
    }
}
