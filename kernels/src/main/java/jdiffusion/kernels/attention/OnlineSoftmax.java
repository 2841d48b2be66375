package jdiffusion.kernels.attention;

import static jdiffusion.kernels.cpu.MicroKernel.NR;
import static jdk.incubator.vector.VectorOperators.GT;

import java.util.Arrays;
import jdiffusion.kernels.cpu.Simd;
import jdiffusion.kernels.cpu.VectorMath;
import jdk.incubator.vector.FloatVector;

/**
 * Softmax over keys that arrive in blocks, after Milakov and Gimelshein, "Online normalizer calculation for softmax"
 * (2018). Queries lie side by side in the lanes, so all steps are elementwise.
 *
 * <p>The state of {@code queries} queries is an array of three parts: the largest score so far, the sum of
 * exp(score - largest), and the factor by which the latest block shrank what was summed before it.
 */
final class OnlineSoftmax {
    private OnlineSoftmax() {
    }

    /** Floats of the state of {@code queries} queries. */
    static int size(int queries) {
        return 3 * queries;
    }

    /** No keys seen. The largest score starts finite, so that a block of -infinity only gives zeros and no NaN. */
    static void reset(float[] state, int queries) {
        Arrays.fill(state, 0, queries, -Float.MAX_VALUE);
        Arrays.fill(state, queries, 2 * queries, 0);
    }

    /** Scores [keys][NR], of which this does one vector of columns, become exp(score - largest); keys is even. */
    static void column(float[] scores, int column, int keys, float[] state, int query, int queries) {
        FloatVector before = FloatVector.fromArray(Simd.F, state, query);
        FloatVector even = before;
        FloatVector odd = before;
        int end = column + keys * NR;
        for (int i = column; i < end; i += 2 * NR) {
            FloatVector a = FloatVector.fromArray(Simd.F, scores, i);
            FloatVector b = FloatVector.fromArray(Simd.F, scores, i + NR);
            even = even.blend(a, a.compare(GT, even));
            odd = odd.blend(b, b.compare(GT, odd));
        }
        FloatVector largest = even.blend(odd, odd.compare(GT, even));
        FloatVector sum = FloatVector.zero(Simd.F);
        for (int i = column; i < end; i += NR) {
            FloatVector p = VectorMath.exp(FloatVector.fromArray(Simd.F, scores, i).sub(largest));
            p.intoArray(scores, i);
            sum = sum.add(p);
        }
        FloatVector factor = VectorMath.exp(before.sub(largest));
        largest.intoArray(state, query);
        FloatVector.fromArray(Simd.F, state, queries + query).fma(factor, sum).intoArray(state, queries + query);
        factor.intoArray(state, 2 * queries + query);
    }

    /** Brings sums [rows][NR] made before the latest block to its largest score; one vector of columns. */
    static void rescale(float[] sums, int column, int rows, float[] state, int query, int queries) {
        FloatVector factor = FloatVector.fromArray(Simd.F, state, 2 * queries + query);
        int end = column + rows * NR;
        for (int i = column; i < end; i += NR) {
            FloatVector.fromArray(Simd.F, sums, i).mul(factor).intoArray(sums, i);
        }
    }
}
