package jdiffusion.kernels.join;

/** What test and benchmark run. */
enum JoinCase {
    ONE_PIXEL(1, 1, 1, 1, 1),
    ONE_AND_MANY(2, 3, 5, 1, 65),
    FOURS(2, 3, 5, 136, 64),
    FOUR_AND_RAGGED(1, 7, 2, 8, 5),
    RAGGED_AND_FOUR(1, 2, 9, 63, 4),
    NOTHING_BEHIND(1, 2, 3, 8, 0),
    UNET_FIRST(1, 32, 32, 1280, 1280),
    UNET_LAST(1, 128, 128, 320, 320);

    final int batch;
    final int h;
    final int w;
    final int a;
    final int b;

    JoinCase(int batch, int h, int w, int a, int b) {
        this.batch = batch;
        this.h = h;
        this.w = w;
        this.a = a;
        this.b = b;
    }

    int pixels() {
        return batch * h * w;
    }

    /** One read, one write. */
    long bytes() {
        return 2L * Float.BYTES * pixels() * (a + b);
    }
}
