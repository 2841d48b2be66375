package jdiffusion.kernels.layernorm;

import jdiffusion.kernels.Samples;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;

/** What test and benchmark run: rows, channels, batch entries of the modulation (0 for none), parameters or not. */
enum LayerNormCase {
    ONE_CHANNEL(3, 1, 0, true, 0),
    RAGGED_5(6, 5, 2, true, 0),
    RAGGED_63(7, 63, 0, false, 0),
    RAGGED_64(8, 64, 4, false, 0),
    RAGGED_65(9, 65, 3, true, 0),
    FAR_FROM_ZERO(9, 1536, 1, false, 1e4),
    MANY_ROWS(1100, 48, 2, false, -1),
    CLIP(77, 768, 0, true, 0),
    MMDIT_TEXT(666, 1536, 2, false, 0.2),
    MMDIT_IMAGE(8192, 1536, 2, false, 0.2);

    final int rows;
    final int c;
    final int batch;
    final Tensor weight;
    final Tensor bias;
    private final double mean;

    LayerNormCase(int rows, int c, int batch, boolean parameters, double mean) {
        this.rows = rows;
        this.c = c;
        this.batch = batch;
        this.mean = mean;
        this.weight = parameters ? Samples.stored(DType.BF16, Samples.normal(1, c, 1, 0.3), c) : null;
        this.bias = parameters ? Samples.stored(DType.F16, Samples.normal(2, c, 0, 0.3), c) : null;
    }

    float[] x() {
        return Samples.normal(3, (long) rows * c, mean, 1.5);
    }

    /** Scale and shift as views, which is how the chunks of one modulation vector arrive. */
    Tensor scale() {
        return batch == 0 ? null : Samples.view(Samples.normal(4, (long) batch * c, 0, 0.5), batch, c);
    }

    Tensor shift() {
        return batch == 0 ? null : Samples.view(Samples.normal(5, (long) batch * c, 0, 0.5), batch, c);
    }

    long bytes() {
        return 2L * Float.BYTES * rows * c;
    }
}
