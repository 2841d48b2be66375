package jdiffusion.kernels.upsample;

/** Upsampling index by index. */
final class UpsampleReference {
    private UpsampleReference() {
    }

    static float[] run(float[] x, int batch, int h, int w, int c) {
        float[] out = new float[4 * x.length];
        for (int b = 0; b < batch; b++) {
            for (int y = 0; y < 2 * h; y++) {
                for (int i = 0; i < 2 * w; i++) {
                    for (int k = 0; k < c; k++) {
                        out[((b * 2 * h + y) * 2 * w + i) * c + k] = x[((b * h + y / 2) * w + i / 2) * c + k];
                    }
                }
            }
        }
        return out;
    }
}
