package jdiffusion.kernels.groupnorm;

import jdiffusion.tensor.Tensor;

/** GroupNorm as its formula reads, before the activation. */
final class GroupNormReference {
    private GroupNormReference() {
    }

    static double[] exact(float[] x, int batch, int c, int groups, Tensor weight, Tensor bias, double eps) {
        double[] out = new double[x.length];
        int pixels = x.length / batch / c;
        double count = (double) pixels * (c / groups);
        for (int image = 0; image < batch; image++) {
            for (int group = 0; group < groups; group++) {
                double mean = 0;
                for (int p = 0; p < pixels; p++) {
                    for (int i = group * c / groups; i < (group + 1) * c / groups; i++) {
                        mean += x[(image * pixels + p) * c + i] / count;
                    }
                }
                double variance = 0;
                for (int p = 0; p < pixels; p++) {
                    for (int i = group * c / groups; i < (group + 1) * c / groups; i++) {
                        double d = x[(image * pixels + p) * c + i] - mean;
                        variance += d * d / count;
                    }
                }
                for (int p = 0; p < pixels; p++) {
                    for (int i = group * c / groups; i < (group + 1) * c / groups; i++) {
                        int at = (image * pixels + p) * c + i;
                        out[at] = (x[at] - mean) / Math.sqrt(variance + eps)
                                * (weight == null ? 1 : weight.get(0, i)) + (bias == null ? 0 : bias.get(0, i));
                    }
                }
            }
        }
        return out;
    }

    /** The same with a float32 result of every step but the sums, as a float32 sum of so many terms says little. */
    static float[] naive(float[] x, int batch, int c, int groups, Tensor weight, Tensor bias, float eps) {
        float[] out = new float[x.length];
        int pixels = x.length / batch / c;
        double count = (double) pixels * (c / groups);
        for (int image = 0; image < batch; image++) {
            for (int group = 0; group < groups; group++) {
                double sum = 0;
                for (int p = 0; p < pixels; p++) {
                    for (int i = group * c / groups; i < (group + 1) * c / groups; i++) {
                        sum += x[(image * pixels + p) * c + i];
                    }
                }
                float mean = (float) (sum / count);
                double squares = 0;
                for (int p = 0; p < pixels; p++) {
                    for (int i = group * c / groups; i < (group + 1) * c / groups; i++) {
                        float d = x[(image * pixels + p) * c + i] - mean;
                        squares += d * d;
                    }
                }
                float deviation = (float) Math.sqrt((float) (squares / count) + eps);
                for (int p = 0; p < pixels; p++) {
                    for (int i = group * c / groups; i < (group + 1) * c / groups; i++) {
                        int at = (image * pixels + p) * c + i;
                        out[at] = (x[at] - mean) / deviation
                                * (weight == null ? 1 : weight.get(0, i)) + (bias == null ? 0 : bias.get(0, i));
                    }
                }
            }
        }
        return out;
    }
}
