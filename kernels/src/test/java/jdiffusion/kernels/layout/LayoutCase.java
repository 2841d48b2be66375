package jdiffusion.kernels.layout;

/** What test and benchmark run. */
enum LayoutCase {
    ONE_PIXEL(1, 1, 1, 1),
    RAGGED_3(2, 3, 5, 7),
    RAGGED_63(1, 63, 7, 2),
    RAGGED_65(2, 65, 1, 9),
    WIDE(1, 3, 64, 33),
    LATENT(2, 16, 128, 128),
    PICTURE(1, 3, 1024, 1024);

    final int batch;
    final int c;
    final int h;
    final int w;

    LayoutCase(int batch, int c, int h, int w) {
        this.batch = batch;
        this.c = c;
        this.h = h;
        this.w = w;
    }

    int size() {
        return batch * c * h * w;
    }
}
