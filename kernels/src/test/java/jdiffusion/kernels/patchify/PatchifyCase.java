package jdiffusion.kernels.patchify;

/** What test and benchmark run. */
enum PatchifyCase {
    ONE_PIXEL(1, 1, 1, 1, 1),
    RAGGED(2, 3, 4, 6, 2),
    NARROW(3, 16, 10, 2, 2),
    PATCH_3(1, 5, 9, 6, 3),
    PATCH_1(2, 4, 3, 5, 1),
    LATENT(2, 16, 128, 128, 2);

    final int batch;
    final int c;
    final int h;
    final int w;
    final int p;

    PatchifyCase(int batch, int c, int h, int w, int p) {
        this.batch = batch;
        this.c = c;
        this.h = h;
        this.w = w;
        this.p = p;
    }

    int size() {
        return batch * c * h * w;
    }

    int tokens() {
        return (h / p) * (w / p);
    }
}
