package jdiffusion.kernels.upsample;

/** Upsampling index by index. */
final class UpsampleReference {
    private UpsampleReference() {
    }

    static float[] run(float[] x, int batch, int h, int w, int c, int outH, int outW) {
        float[] out = new float[batch * outH * outW * c];
        for (int b = 0; b < batch; b++) {
            for (int y = 0; y < outH; y++) {
                for (int i = 0; i < outW; i++) {
                    for (int k = 0; k < c; k++) {
                        out[((b * outH + y) * outW + i) * c + k] = x[((b * h + y / 2) * w + i / 2) * c + k];
                    }
                }
            }
        }
        return out;
    }
}
