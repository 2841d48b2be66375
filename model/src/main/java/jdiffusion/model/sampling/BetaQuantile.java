package jdiffusion.model.sampling;

/**
 * Quantiles of the beta distribution: the inverse of the regularised incomplete beta function.
 *
 * <p>Below one half the integral is the power series of Abramowitz and Stegun 26.5.4 (in its binomial form), which
 * gains at least a bit with each term; above, the distribution is mirrored. The complete beta function is the sum of
 * the two halves, so no gamma function is needed.
 */
final class BetaQuantile {
    private static final double EPSILON = Math.ulp(1.0);
    private static final int ROUNDS = 200;

    private BetaQuantile() {
    }

    /**
     * The x for which a number of the distribution beta(a, b) is at most x with probability {@code p}.
     *
     * @param p in 0..1
     * @param a in 0.1..10
     * @param b in 0.1..10; with larger ones the terms of the series would cancel
     * @return x in 0..1, to about 12 decimal digits, and to the last ones for a = b = 0.6
     */
    static double of(double p, double a, double b) {
        if (!(p >= 0 && p <= 1 && a >= 0.1 && a <= 10 && b >= 0.1 && b <= 10)) {
            throw new IllegalArgumentException("p = " + p + ", a = " + a + ", b = " + b);
        }
        double lower = integral(0.5, a, b);
        double complete = lower + integral(0.5, b, a);
        return p * complete <= lower ? solve(p * complete, a, b) : 1 - solve((1 - p) * complete, b, a);
    }

    /** The integral of t^(a-1) (1-t)^(b-1) from 0 to x, for x in 0..1/2. */
    private static double integral(double x, double a, double b) {
        double coefficient = 1;
        double sum = 1 / a;
        for (int n = 1; n < ROUNDS; n++) {
            coefficient *= (n - b) / n * x;
            double term = coefficient / (a + n);
            sum += term;
            if (Math.abs(term) < EPSILON / 4 * sum) {
                break;
            }
        }
        return StrictMath.pow(x, a) * sum;
    }

    /** The x in 0..1/2 whose integral is {@code area}: Newton's method, kept inside a bracket by bisection. */
    private static double solve(double area, double a, double b) {
        double low = 0;
        double high = 0.5;
        double x = Math.min(high, StrictMath.pow(area * a, 1 / a));
        for (int round = 0; round < ROUNDS && x > 0; round++) {
            double error = integral(x, a, b) - area;
            if (error > 0) {
                high = x;
            } else {
                low = x;
            }
            double slope = StrictMath.pow(x, a - 1) * StrictMath.pow(1 - x, b - 1);
            double next = x - error / slope;
            if (Math.abs(next - x) <= EPSILON * x) {
                return x;
            }
            x = next > low && next < high ? next : (low + high) / 2;
        }
        return x;
    }
}
