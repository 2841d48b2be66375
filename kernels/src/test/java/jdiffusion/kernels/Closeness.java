package jdiffusion.kernels;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * The tolerance of all kernel tests: the largest error against double may be twice that of a naive float32 version of
 * the same inputs (the rule of flash-attention's tests), plus a few roundings of the largest value, for cases so small
 * that the naive version happens to be exact.
 */
public final class Closeness {
    private static final double ROUNDINGS = 4 * 0x1p-24;

    private Closeness() {
    }

    public static void check(String what, float[] got, double[] exact, float[] naive) {
        assertThat(got).as(what).hasSameSizeAs(exact);
        double largest = 0;
        double allowed = 0;
        for (int i = 0; i < exact.length; i++) {
            largest = Math.max(largest, Math.abs(exact[i]));
            allowed = Math.max(allowed, Math.abs(naive[i] - exact[i]));
        }
        allowed = 2 * allowed + ROUNDINGS * largest;
        for (int i = 0; i < exact.length; i++) {
            if (!(Math.abs(got[i] - exact[i]) <= allowed)) {
                assertThat((double) got[i]).as("%s, element %s, allowed error %s", what, i, allowed)
                        .isEqualTo(exact[i]);
            }
        }
    }
}
