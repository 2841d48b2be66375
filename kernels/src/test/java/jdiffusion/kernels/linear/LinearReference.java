package jdiffusion.kernels.linear;

import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.cpu.MathReference;

/** Linear layers by three plain loops: in double as the truth, and in float32 as the measure of a fair error. */
final class LinearReference {
    private LinearReference() {
    }

    /** old [m, n] is what out holds; gate [batch, n], bias [n] or null. */
    static double[] exact(int m, int n, int k, float[] x, float[] w, float[] bias, Activation activation,
                          Epilogue.Mode mode, float[] gate, float[] old) {
        double[] out = new double[m * n];
        for (int i = 0; i < m; i++) {
            for (int j = 0; j < n; j++) {
                double sum = bias == null ? 0 : bias[j];
                for (int p = 0; p < k; p++) {
                    sum += (double) x[i * k + p] * w[j * k + p];
                }
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
        for (int i = 0; i < m; i++) {
            for (int j = 0; j < n; j++) {
                float sum = bias == null ? 0 : bias[j];
                for (int p = 0; p < k; p++) {
                    sum += x[i * k + p] * w[j * k + p];
                }
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
