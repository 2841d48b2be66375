package jdiffusion.kernels.cpu;

import static jdiffusion.kernels.cpu.Simd.LANES;

import jdiffusion.kernels.cpu.WarmUp.Group;
import jdk.incubator.vector.FloatVector;

/** Sums of scaled rows; products are rounded before they are added, in the order of the rows. */
public final class MultiplyAdd {
    /** Chains of sums that the processor can keep going side by side. */
    private static final int STEP = 4 * LANES;

    private MultiplyAdd() {
    }

    /**
     * Adds row r of {@code rows}, times factor r, to {@code to}, for each of {@code count} rows.
     *
     * @param stride distance of rows
     * @param n      elements of each
     */
    public static void rows(int count, float[] factors, int factorAt, float[] rows, int rowAt, int stride, float[] to,
                            int at, int n) {
        int i = Group.ADAPTER.ready() ? vectors(count, factors, factorAt, rows, rowAt, stride, to, at, n) : 0;
        for (int r = 0; i < n && r < count; r++) {
            float factor = factors[factorAt + r];
            int row = rowAt + r * stride;
            for (int j = i; j < n; j++) {
                to[at + j] += factor * rows[row + j];
            }
        }
    }

    /** Does the whole vectors and returns how many elements that was. */
    static int vectors(int count, float[] factors, int factorAt, float[] rows, int rowAt, int stride, float[] to,
                       int at, int n) {
        int i = 0;
        for (; i <= n - STEP; i += STEP) {
            FloatVector s0 = FloatVector.fromArray(Simd.F, to, at + i);
            FloatVector s1 = FloatVector.fromArray(Simd.F, to, at + i + LANES);
            FloatVector s2 = FloatVector.fromArray(Simd.F, to, at + i + 2 * LANES);
            FloatVector s3 = FloatVector.fromArray(Simd.F, to, at + i + 3 * LANES);
            for (int r = 0; r < count; r++) {
                FloatVector factor = FloatVector.broadcast(Simd.F, factors[factorAt + r]);
                int row = rowAt + r * stride + i;
                s0 = FloatVector.fromArray(Simd.F, rows, row).mul(factor).add(s0);
                s1 = FloatVector.fromArray(Simd.F, rows, row + LANES).mul(factor).add(s1);
                s2 = FloatVector.fromArray(Simd.F, rows, row + 2 * LANES).mul(factor).add(s2);
                s3 = FloatVector.fromArray(Simd.F, rows, row + 3 * LANES).mul(factor).add(s3);
            }
            s0.intoArray(to, at + i);
            s1.intoArray(to, at + i + LANES);
            s2.intoArray(to, at + i + 2 * LANES);
            s3.intoArray(to, at + i + 3 * LANES);
        }
        for (; i <= n - LANES; i += LANES) {
            FloatVector sum = FloatVector.fromArray(Simd.F, to, at + i);
            for (int r = 0; r < count; r++) {
                FloatVector factor = FloatVector.broadcast(Simd.F, factors[factorAt + r]);
                sum = FloatVector.fromArray(Simd.F, rows, rowAt + r * stride + i).mul(factor).add(sum);
            }
            sum.intoArray(to, at + i);
        }
        return i;
    }
}
