package jdiffusion.kernels.upsample;

/** What test and benchmark run. */
enum UpsampleCase {
    ONE_PIXEL(1, 1, 1, 1),
    ONE_CHANNEL(2, 3, 5, 1),
    RAGGED_5(3, 4, 3, 5),
    RAGGED_63(1, 7, 2, 63),
    RAGGED_65(2, 5, 9, 65),
    VAE_FIRST(1, 128, 128, 512),
    VAE_LAST(1, 512, 512, 256);

    final int batch;
    final int h;
    final int w;
    final int c;

    UpsampleCase(int batch, int h, int w, int c) {
        this.batch = batch;
        this.h = h;
        this.w = w;
        this.c = c;
    }

    /** One read, four writes. */
    long bytes() {
        return 5L * Float.BYTES * batch * h * w * c;
    }
}
