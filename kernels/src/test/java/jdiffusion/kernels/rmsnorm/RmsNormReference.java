package jdiffusion.kernels.rmsnorm;

import jdiffusion.tensor.Tensor;

/** RMS norm as its formula reads. */
final class RmsNormReference {
    private RmsNormReference() {
    }

    static double[] exact(float[] x, int c, Tensor weight, double eps) {
        double[] out = new double[x.length];
        for (int from = 0; from < x.length; from += c) {
            double meanSquare = 0;
            for (int i = 0; i < c; i++) {
                meanSquare += Math.pow(x[from + i], 2) / c;
            }
            for (int i = 0; i < c; i++) {
                out[from + i] = x[from + i] / Math.sqrt(meanSquare + eps) * weight.get(0, i);
            }
        }
        return out;
    }

    /** The same in float32 throughout. */
    static float[] naive(float[] x, int c, Tensor weight, float eps) {
        float[] out = new float[x.length];
        for (int from = 0; from < x.length; from += c) {
            float meanSquare = 0;
            for (int i = 0; i < c; i++) {
                meanSquare += x[from + i] * x[from + i];
            }
            meanSquare /= c;
            for (int i = 0; i < c; i++) {
                out[from + i] = x[from + i] / (float) Math.sqrt(meanSquare + eps) * weight.get(0, i);
            }
        }
        return out;
    }
}
