package jdiffusion.kernels.linear;

import java.util.Arrays;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Closeness;
import jdiffusion.kernels.Epilogue.Mode;
import jdiffusion.kernels.Samples;
import jdiffusion.tensor.DType;

/** A gated layer as two layers by plain loops, multiplied. */
final class GatedLinearReference {
    private GatedLinearReference() {
    }

    /**
     * @param c    by the height of a half
     * @param w    [2n, k]
     * @param bias [2n] or null
     * @param out  of the type
     */
    static void check(String what, LinearCase c, float[] x, float[] w, float[] bias, Activation activation,
                      float[] out, DType type) {
        double[] exact = null;
        float[] naive = null;
        for (int half = 0; half < 2; half++) {
            float[] rows = Arrays.copyOfRange(w, half * c.n() * c.k(), (half + 1) * c.n() * c.k());
            float[] biases = bias == null ? null : Arrays.copyOfRange(bias, half * c.n(), (half + 1) * c.n());
            Activation own = half == 0 ? Activation.NONE : activation;
            double[] y = LinearReference.exact(c.m(), c.n(), c.k(), x, rows, biases, own, Mode.STORE, null, null);
            float[] single = LinearReference.naive(c.m(), c.n(), c.k(), x, rows, biases, own, Mode.STORE, null, null);
            for (int i = 0; half == 1 && i < y.length; i++) {
                y[i] *= exact[i];
                single[i] *= naive[i];
            }
            exact = y;
            naive = single;
        }
        Closeness.check(what, out, exact, type == DType.F32 ? naive : Samples.rounded(type, naive));
    }
}
