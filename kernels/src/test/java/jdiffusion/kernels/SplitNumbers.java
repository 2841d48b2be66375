package jdiffusion.kernels;

import jdiffusion.tensor.FloatFormat;

/**
 * Products in a split precision as plain products of longer rows: each number becomes its parts, once for each product
 * of parts that the precision takes, so that naive code for float32 computes what the precision means.
 */
public final class SplitNumbers {
    private SplitNumbers() {
    }

    /** A number's parts in bfloat16, each what those before leave of it, rounded. */
    public static float[] parts(float value, int count) {
        float[] parts = new float[count];
        float rest = value;
        for (int i = 0; i < count; i++) {
            parts[i] = FloatFormat.bf16ToFloat(FloatFormat.floatToBf16(rest));
            rest -= parts[i];
        }
        return parts;
    }

    /** How many products of parts there are of a product of numbers. */
    public static int terms(int left, int right) {
        int terms = 0;
        for (int i = 0; i < left; i++) {
            terms += Math.min(right, left - i);
        }
        return terms;
    }

    /** Left numbers [..., k], each of them as many times as there are terms. */
    public static float[] left(float[] values, int left, int right) {
        float[] out = new float[values.length * terms(left, right)];
        int at = 0;
        for (float value : values) {
            float[] parts = parts(value, left);
            for (int i = left - 1; i >= 0; i--) {
                for (int j = Math.min(right, left - i) - 1; j >= 0; j--) {
                    out[at++] = parts[i];
                }
            }
        }
        return out;
    }

    /** Right numbers in the same order. */
    public static float[] right(float[] values, int left, int right) {
        float[] out = new float[values.length * terms(left, right)];
        int at = 0;
        for (float value : values) {
            float[] parts = parts(value, right);
            for (int i = left - 1; i >= 0; i--) {
                for (int j = Math.min(right, left - i) - 1; j >= 0; j--) {
                    out[at++] = parts[j];
                }
            }
        }
        return out;
    }
}
