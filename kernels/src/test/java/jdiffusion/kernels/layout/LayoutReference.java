package jdiffusion.kernels.layout;

/** Channels-first to channels-last index by index. */
final class LayoutReference {
    private LayoutReference() {
    }

    static float[] channelsLast(float[] x, int batch, int c, int h, int w) {
        float[] out = new float[x.length];
        for (int b = 0; b < batch; b++) {
            for (int k = 0; k < c; k++) {
                for (int y = 0; y < h; y++) {
                    for (int i = 0; i < w; i++) {
                        out[((b * h + y) * w + i) * c + k] = x[((b * c + k) * h + y) * w + i];
                    }
                }
            }
        }
        return out;
    }
}
