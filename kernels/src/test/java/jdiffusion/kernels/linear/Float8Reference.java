package jdiffusion.kernels.linear;

import jdiffusion.tensor.FloatFormat;

/** The rounding of inputs to float8, one element after the other. */
final class Float8Reference {
    private Float8Reference() {
    }

    /** x [m, k] as it is multiplied: each row in e4m3 with its scale, largest magnitude over 448. */
    static float[] rounded(float[] x, int m, int k) {
        float[] rounded = new float[m * k];
        for (int row = 0; row < m; row++) {
            float largest = 0x1p-100f;
            for (int i = row * k; i < (row + 1) * k; i++) {
                largest = Math.max(largest, Math.abs(x[i]));
            }
            for (int i = row * k; i < (row + 1) * k; i++) {
                byte code = FloatFormat.floatToE4m3(x[i] * (448 / largest));
                rounded[i] = FloatFormat.e4m3ToFloat(code) * (largest / 448);
            }
        }
        return rounded;
    }
}
