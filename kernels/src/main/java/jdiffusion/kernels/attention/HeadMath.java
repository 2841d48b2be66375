package jdiffusion.kernels.attention;

import jdiffusion.kernels.attention.AttentionShape.Norm;
import jdiffusion.kernels.cpu.Sums;
import jdiffusion.kernels.cpu.Widen;
import jdiffusion.tensor.Tensor;

/**
 * What becomes of a head's channels of q and k before the products, in float32: a norm, then the rotation by position.
 * A buffer of {@link #size} floats holds the channels of a token, and behind them the weight of the norm and the row of
 * the rotary table.
 */
final class HeadMath {
    private HeadMath() {
    }

    /** Floats of a buffer. */
    static int size(int headDim) {
        return 3 * headDim;
    }

    /** Reads what does not depend on the token. */
    static void begin(AttentionStream stream, Role role, float[] row, int d) {
        Tensor weight = role.norm(stream);
        if (weight != null) {
            Widen.run(weight.data(), weight.type(), 0, row, d, d);
        }
    }

    /** Norm and rotation, where the stream has them, of the channels of {@code token}. */
    static void apply(AttentionShape shape, AttentionStream stream, Role role, int token, float[] row) {
        if (role == Role.V) {
            return;
        }
        int d = shape.headDim();
        if (shape.norm() == Norm.LAYER) {
            layerNorm(row, d, shape.normEps());
        } else if (role.norm(stream) != null) {
            rmsNorm(row, d, shape.normEps());
        }
        Tensor rotary = stream.rotary();
        if (rotary != null) {
            Widen.run(rotary.data(), rotary.type(), rotary.rowOffset(token), row, 2 * d, d);
            rotate(row, d);
        }
    }

    private static void rmsNorm(float[] row, int d, float eps) {
        float factor = (float) (1 / Math.sqrt(meanSquare(row, d) + eps));
        for (int i = 0; i < d; i++) {
            row[i] = row[i] * factor * row[d + i];
        }
    }

    private static void layerNorm(float[] row, int d, float eps) {
        float mean = Sums.sum(row, 0, d) / d;
        for (int i = 0; i < d; i++) {
            row[i] -= mean;
        }
        float factor = (float) (1 / Math.sqrt(meanSquare(row, d) + eps));
        for (int i = 0; i < d; i++) {
            row[i] *= factor;
        }
    }

    private static void rotate(float[] row, int d) {
        for (int i = 0; i < d; i += 2) {
            float even = row[i];
            float odd = row[i + 1];
            float cos = row[2 * d + i];
            float sin = row[2 * d + i + 1];
            row[i] = Math.fma(even, cos, -(odd * sin));
            row[i + 1] = Math.fma(odd, cos, even * sin);
        }
    }

    /** Four sums, since one alone would wait for each addition. */
    private static float meanSquare(float[] x, int n) {
        float a = 0;
        float b = 0;
        float c = 0;
        float e = 0;
        int i = 0;
        for (; i <= n - 4; i += 4) {
            a = Math.fma(x[i], x[i], a);
            b = Math.fma(x[i + 1], x[i + 1], b);
            c = Math.fma(x[i + 2], x[i + 2], c);
            e = Math.fma(x[i + 3], x[i + 3], e);
        }
        for (; i < n; i++) {
            a = Math.fma(x[i], x[i], a);
        }
        return (a + b + (c + e)) / n;
    }
}
