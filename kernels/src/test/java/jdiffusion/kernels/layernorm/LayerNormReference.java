package jdiffusion.kernels.layernorm;

import jdiffusion.tensor.Tensor;

/** LayerNorm as its formula reads. */
final class LayerNormReference {
    private LayerNormReference() {
    }

    static double[] exact(float[] x, int c, Tensor weight, Tensor bias, Tensor scale, Tensor shift, double eps) {
        double[] out = new double[x.length];
        int rows = x.length / c;
        for (int r = 0; r < rows; r++) {
            double mean = 0;
            for (int i = 0; i < c; i++) {
                mean += x[r * c + i] / (double) c;
            }
            double variance = 0;
            for (int i = 0; i < c; i++) {
                variance += Math.pow(x[r * c + i] - mean, 2) / c;
            }
            for (int i = 0; i < c; i++) {
                double y = (x[r * c + i] - mean) / Math.sqrt(variance + eps);
                y = weight == null ? y : y * weight.get(0, i);
                y = bias == null ? y : y + bias.get(0, i);
                if (scale != null) {
                    int entry = r / (rows / scale.rows());
                    y = y * (1.0 + scale.get(entry, i)) + shift.get(entry, i);
                }
                out[r * c + i] = y;
            }
        }
        return out;
    }

    /** The same in float32 throughout. */
    static float[] naive(float[] x, int c, Tensor weight, Tensor bias, Tensor scale, Tensor shift, float eps) {
        float[] out = new float[x.length];
        int rows = x.length / c;
        for (int r = 0; r < rows; r++) {
            float mean = 0;
            for (int i = 0; i < c; i++) {
                mean += x[r * c + i];
            }
            mean /= c;
            float variance = 0;
            for (int i = 0; i < c; i++) {
                variance += (x[r * c + i] - mean) * (x[r * c + i] - mean);
            }
            variance /= c;
            for (int i = 0; i < c; i++) {
                float y = (x[r * c + i] - mean) / (float) Math.sqrt(variance + eps);
                y = weight == null ? y : y * weight.get(0, i);
                y = bias == null ? y : y + bias.get(0, i);
                if (scale != null) {
                    int entry = r / (rows / scale.rows());
                    y = y * (1 + scale.get(entry, i)) + shift.get(entry, i);
                }
                out[r * c + i] = y;
            }
        }
        return out;
    }
}
