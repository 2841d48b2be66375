package jdiffusion.kernels.cpu;

/**
 * Sums over a run of an array, in an order that depends on its length alone.
 *
 * <p>Eight running sums keep the adders busy and the rounding error an eighth of a single chain's. Plain code on
 * purpose: memory sets the pace of the norms that use it, and it is fast from the first call, where the Vector API
 * waits for the compiler.
 */
public final class Sums {
    private Sums() {
    }

    /** Sum of {@code n} values from {@code at} on. */
    public static float sum(float[] v, int at, int n) {
        float s0 = 0;
        float s1 = 0;
        float s2 = 0;
        float s3 = 0;
        float s4 = 0;
        float s5 = 0;
        float s6 = 0;
        float s7 = 0;
        int i = at;
        for (int end = at + n - 7; i < end; i += 8) {
            s0 += v[i];
            s1 += v[i + 1];
            s2 += v[i + 2];
            s3 += v[i + 3];
            s4 += v[i + 4];
            s5 += v[i + 5];
            s6 += v[i + 6];
            s7 += v[i + 7];
        }
        for (int end = at + n; i < end; i++) {
            s0 += v[i];
        }
        return ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7));
    }

    /** Sum of the squared distances of {@code n} values from {@code centre}. */
    public static float squares(float[] v, int at, int n, float centre) {
        float s0 = 0;
        float s1 = 0;
        float s2 = 0;
        float s3 = 0;
        float s4 = 0;
        float s5 = 0;
        float s6 = 0;
        float s7 = 0;
        int i = at;
        for (int end = at + n - 7; i < end; i += 8) {
            s0 += (v[i] - centre) * (v[i] - centre);
            s1 += (v[i + 1] - centre) * (v[i + 1] - centre);
            s2 += (v[i + 2] - centre) * (v[i + 2] - centre);
            s3 += (v[i + 3] - centre) * (v[i + 3] - centre);
            s4 += (v[i + 4] - centre) * (v[i + 4] - centre);
            s5 += (v[i + 5] - centre) * (v[i + 5] - centre);
            s6 += (v[i + 6] - centre) * (v[i + 6] - centre);
            s7 += (v[i + 7] - centre) * (v[i + 7] - centre);
        }
        for (int end = at + n; i < end; i++) {
            s0 += (v[i] - centre) * (v[i] - centre);
        }
        return ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7));
    }
}
