package jdiffusion.kernels.cpu;

import jdiffusion.kernels.Activation;

/** The pointwise functions in double, as their definitions say, for the tests of all kernels. */
public final class MathReference {
    private MathReference() {
    }

    public static double activate(Activation activation, double x) {
        return switch (activation) {
            case NONE -> x;
            case SILU -> x / (1 + Math.exp(-x));
            case GELU_TANH -> x / 2 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
            case GELU_ERF -> x / 2 * (1 + erf(x / Math.sqrt(2)));
            case QUICK_GELU -> x / (1 + Math.exp(-1.702 * x));
            case RELU -> x < 0 ? 0 : x;
        };
    }

    /** The Taylor series near 0; elsewhere the continued fraction of erfc, from its tail. */
    public static double erf(double x) {
        if (x != x) {
            return x;
        }
        double t = Math.abs(x);
        if (t > 6) {
            return Math.signum(x);
        }
        if (t < 2.5) {
            double term = x;
            double sum = x;
            // Terms grow up to the square of x, then fall; what is that small changes the sum no more.
            for (int n = 1; n < 80 && (n < 8 || Math.abs(term) > 1e-18 * Math.abs(sum)); n++) {
                term *= -x * x / n;
                sum += term / (2 * n + 1);
            }
            return sum * 2 / Math.sqrt(Math.PI);
        }
        double tail = t;
        for (int n = 120; n > 0; n--) {
            tail = t + n / 2.0 / tail;
        }
        return Math.signum(x) * (1 - Math.exp(-t * t) / Math.sqrt(Math.PI) / tail);
    }
}
