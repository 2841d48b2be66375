package jdiffusion.kernels.upsample;

/** What test and benchmark run. */
enum UpsampleCase {
    ONE_PIXEL(1, 1, 1, 1),
    ONE_CHANNEL(2, 3, 5, 1),
    RAGGED_5(3, 4, 3, 5),
    RAGGED_63(1, 7, 2, 63),
    RAGGED_65(2, 5, 9, 65),
    ONE_LESS_HIGH(2, 3, 5, 8, 5, 10),
    ONE_LESS_WIDE(2, 4, 3, 5, 8, 5),
    ONE_LESS_BOTH(3, 3, 4, 12, 5, 7),
    ONE_STAYS_ONE(2, 1, 1, 4, 1, 1),
    VAE_FIRST(1, 128, 128, 512),
    VAE_LAST(1, 512, 512, 256);

    final int batch;
    final int h;
    final int w;
    final int c;
    final int outH;
    final int outW;

    UpsampleCase(int batch, int h, int w, int c) {
        this(batch, h, w, c, 2 * h, 2 * w);
    }

    UpsampleCase(int batch, int h, int w, int c, int outH, int outW) {
        this.batch = batch;
        this.h = h;
        this.w = w;
        this.c = c;
        this.outH = outH;
        this.outW = outW;
    }

    int outSize() {
        return batch * outH * outW * c;
    }

    /** One read, about four writes. */
    long bytes() {
        return (long) Float.BYTES * batch * (h * w + outH * outW) * c;
    }
}
