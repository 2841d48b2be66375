package jdiffusion.kernels.patchify;

/** Patches index by index. */
final class PatchifyReference {
    private PatchifyReference() {
    }

    static float[] patchify(float[] x, int batch, int c, int h, int w, int p) {
        float[] out = new float[x.length];
        int at = 0;
        for (int b = 0; b < batch; b++) {
            for (int top = 0; top < h; top += p) {
                for (int left = 0; left < w; left += p) {
                    for (int k = 0; k < c; k++) {
                        for (int y = 0; y < p; y++) {
                            for (int i = 0; i < p; i++) {
                                out[at++] = x[((b * c + k) * h + top + y) * w + left + i];
                            }
                        }
                    }
                }
            }
        }
        return out;
    }

    static float[] unpatchify(float[] rows, int batch, int c, int h, int w, int p) {
        float[] out = new float[rows.length];
        int at = 0;
        for (int b = 0; b < batch; b++) {
            for (int top = 0; top < h; top += p) {
                for (int left = 0; left < w; left += p) {
                    for (int y = 0; y < p; y++) {
                        for (int i = 0; i < p; i++) {
                            for (int k = 0; k < c; k++) {
                                out[((b * c + k) * h + top + y) * w + left + i] = rows[at++];
                            }
                        }
                    }
                }
            }
        }
        return out;
    }
}
