package jdiffusion.kernels.rope;

import java.util.Random;
import java.util.function.DoubleUnaryOperator;
import jdiffusion.tensor.Tensor;

/** Rotary position embedding by its definition: each pair of channels is turned by an angle of its own. */
public final class RopeReference {
    private RopeReference() {
    }

    /** A table of random angles, [n, headDim] of cos and sin by turns. */
    public static Tensor table(Random random, int n, int headDim) {
        // A table of no tokens has memory all the same.
        float[] table = new float[Math.max(1, n) * headDim];
        for (int i = 0; i < table.length; i += 2) {
            double angle = random.nextDouble() * 2 * Math.PI;
            table[i] = (float) Math.cos(angle);
            table[i + 1] = (float) Math.sin(angle);
        }
        return Tensor.of(table, n, headDim);
    }

    /** Turns the channels of one head of a token in place; {@code step} rounds the result of each operation. */
    public static void turn(double[] x, Tensor table, int token, DoubleUnaryOperator step) {
        for (int i = 0; i < x.length; i += 2) {
            double cos = table.get(token, i);
            double sin = table.get(token, i + 1);
            double even = x[i];
            double odd = x[i + 1];
            x[i] = step.applyAsDouble(step.applyAsDouble(even * cos) - step.applyAsDouble(odd * sin));
            x[i + 1] = step.applyAsDouble(step.applyAsDouble(odd * cos) + step.applyAsDouble(even * sin));
        }
    }
}
