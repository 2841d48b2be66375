package jdiffusion.kernels.linear;

import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.cpu.MathReference;

/** Linear layers by three plain loops: in double as the truth, and in float32 as the measure of a fair error. */
final class LinearReference {
    /** Columns at once: an addition to one sum waits for the last addition to it, so others are made meanwhile. */
    private static final int SUMS = 4;

    private LinearReference() {
    }

    /** Of row i with the columns from j on; those beyond the last are it. */
    private static void exactSums(int k, float[] x, int i, float[] w, float[] bias, int j, int n, double[] sums) {
        int j1 = Math.min(j + 1, n - 1);
        int j2 = Math.min(j + 2, n - 1);
        int j3 = Math.min(j + 3, n - 1);
        double sum0 = bias == null ? 0 : bias[j];
        double sum1 = bias == null ? 0 : bias[j1];
        double sum2 = bias == null ? 0 : bias[j2];
        double sum3 = bias == null ? 0 : bias[j3];
        for (int p = 0; p < k; p++) {
            double value = x[i * k + p];
            sum0 += value * w[j * k + p];
            sum1 += value * w[j1 * k + p];
            sum2 += value * w[j2 * k + p];
            sum3 += value * w[j3 * k + p];
        }
        sums[0] = sum0;
        sums[1] = sum1;
        sums[2] = sum2;
        sums[3] = sum3;
    }

    private static void naiveSums(int k, float[] x, int i, float[] w, float[] bias, int j, int n, float[] sums) {
        int j1 = Math.min(j + 1, n - 1);
        int j2 = Math.min(j + 2, n - 1);
        int j3 = Math.min(j + 3, n - 1);
        float sum0 = bias == null ? 0 : bias[j];
        float sum1 = bias == null ? 0 : bias[j1];
        float sum2 = bias == null ? 0 : bias[j2];
        float sum3 = bias == null ? 0 : bias[j3];
        for (int p = 0; p < k; p++) {
            float value = x[i * k + p];
            sum0 += value * w[j * k + p];
            sum1 += value * w[j1 * k + p];
            sum2 += value * w[j2 * k + p];
            sum3 += value * w[j3 * k + p];
        }
        sums[0] = sum0;
        sums[1] = sum1;
        sums[2] = sum2;
        sums[3] = sum3;
    }

    /** old [m, n] is what out holds; gate [batch, n], bias [n] or null. */
    static double[] exact(int m, int n, int k, float[] x, float[] w, float[] bias, Activation activation,
                          Epilogue.Mode mode, float[] gate, float[] old) {
        double[] out = new double[m * n];
        double[] sums = new double[SUMS];
        for (int i = 0; i < m; i++) {
            for (int j = 0; j < n; j++) {
                if (j % SUMS == 0) {
                    exactSums(k, x, i, w, bias, j, n, sums);
                }
                double sum = sums[j % SUMS];
                double y = MathReference.activate(activation, sum);
                double factor = gate == null ? 1 : gate[i / (m / (gate.length / n)) * n + j];
                out[i * n + j] = switch (mode) {
                    case STORE -> y;
                    case ADD -> old[i * n + j] + factor * y;
                    case MULTIPLY -> old[i * n + j] * y;
                };
            }
        }
        return out;
    }

    static float[] naive(int m, int n, int k, float[] x, float[] w, float[] bias, Activation activation,
                         Epilogue.Mode mode, float[] gate, float[] old) {
        float[] out = new float[m * n];
        float[] sums = new float[SUMS];
        for (int i = 0; i < m; i++) {
            for (int j = 0; j < n; j++) {
                if (j % SUMS == 0) {
                    naiveSums(k, x, i, w, bias, j, n, sums);
                }
                float sum = sums[j % SUMS];
                float y = (float) MathReference.activate(activation, sum);
                float factor = gate == null ? 1 : gate[i / (m / (gate.length / n)) * n + j];
                out[i * n + j] = switch (mode) {
                    case STORE -> y;
                    case ADD -> old[i * n + j] + factor * y;
                    case MULTIPLY -> old[i * n + j] * y;
                };
            }
        }
        return out;
    }
}
