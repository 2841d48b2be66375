package jdiffusion.kernels.attention;

import static jdiffusion.kernels.cpu.MicroKernel.NR;
import static jdk.incubator.vector.VectorOperators.GT;

import java.util.Arrays;
import java.util.List;
import jdiffusion.kernels.cpu.FloatMath;
import jdiffusion.kernels.cpu.Simd;
import jdiffusion.kernels.cpu.VectorMath;
import jdiffusion.kernels.cpu.WarmUp.Group;
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

    /** The vector loops, on scraps, for the warm-up. */
    static List<Runnable> vectorLoops() {
        int keys = 32;
        float[] scores = new float[keys * NR];
        float[] state = new float[size(NR)];
        return List.of(
                () -> exponentiateVectors(scores, 0, keys, state, 0, NR),
                () -> raiseVectors(scores, 0, keys, state, 0, NR));
    }

    /** No keys seen. The largest score starts finite, so that a block of -infinity only gives zeros and no NaN. */
    static void reset(float[] state, int queries) {
        Arrays.fill(state, 0, queries, -Float.MAX_VALUE);
        Arrays.fill(state, queries, 2 * queries, 0);
    }

    static void raiseVectors(float[] scores, int column, int keys, float[] state, int query, int queries) {
        FloatVector before = FloatVector.fromArray(Simd.F, state, query);
        FloatVector even = before;
        FloatVector odd = before;
        int end = column + keys * NR;
        for (int i = column; i < end; i += 2 * NR) {
            FloatVector a = FloatVector.fromArray(Simd.F, scores, i);
            FloatVector b = FloatVector.fromArray(Simd.F, scores, i + NR);
            even = a.blend(even, a.compare(GT, even).not());
            odd = b.blend(odd, b.compare(GT, odd).not());
        }
        even.blend(odd, odd.compare(GT, even)).intoArray(state, query);
        before.intoArray(state, 2 * queries + query);
    }

    /** Takes the next block of scores [keys][NR] into the largest score; {@code keys} is even. */
    static void raise(float[] scores, int keys, float[] state, int query, int queries) {
        if (Group.SOFTMAX.ready()) {
            for (int c = 0; c < NR; c += Simd.LANES) {
                raiseVectors(scores, c, keys, state, query + c, queries);
            }
        } else {
            raisePlain(scores, keys, state, query, queries);
        }
    }

    static void raisePlain(float[] scores, int keys, float[] state, int query, int queries) {
        System.arraycopy(state, query, state, 2 * queries + query, NR);
        for (int key = 0; key < keys; key++) {
            for (int c = 0; c < NR; c++) {
                float score = scores[key * NR + c];
                if (score > state[query + c]) {
                    state[query + c] = score;
                }
            }
        }
    }

    /** The block's scores become exp(score - largest), and are summed. */
    static void exponentiate(float[] scores, int keys, float[] state, int query, int queries) {
        if (Group.SOFTMAX.ready()) {
            for (int c = 0; c < NR; c += Simd.LANES) {
                exponentiateVectors(scores, c, keys, state, query + c, queries);
            }
        } else {
            exponentiatePlain(scores, keys, state, query, queries);
        }
    }

    static void exponentiatePlain(float[] scores, int keys, float[] state, int query, int queries) {
        for (int key = 0; key < keys; key++) {
            for (int c = 0; c < NR; c++) {
                float p = FloatMath.expNotPositive(scores[key * NR + c] - state[query + c]);
                scores[key * NR + c] = p;
                state[queries + query + c] += p;
            }
        }
    }

    /**
     * Turns the former largest scores of {@code n} queries into factors, and applies them to the sums of the softmax.
     * Scalar, since the largest score of a query seldom rises.
     *
     * @return whether any factor is not 1
     */
    static boolean factors(float[] state, int query, int n, int queries) {
        boolean any = false;
        for (int i = query; i < query + n; i++) {
            float largest = state[i];
            float before = state[2 * queries + i];
            state[2 * queries + i] = 1;
            if (before != largest) {
                float factor = (float) Math.exp((double) before - largest);
                state[2 * queries + i] = factor;
                state[queries + i] *= factor;
                any = true;
            }
        }
        return any;
    }

    static void exponentiateVectors(float[] scores, int column, int keys, float[] state, int query, int queries) {
        VectorMath.addExponentials(scores, column, column + keys * NR, NR, state, query, queries + query);
    }

    /** Brings sums [rows][NR] made before the latest block to its largest score. */
    static void rescale(float[] sums, int at, int rows, float[] state, int query, int queries) {
        for (int row = 0; row < rows; row++) {
            for (int c = 0; c < NR; c++) {
                sums[at + row * NR + c] *= state[2 * queries + query + c];
            }
        }
    }
}
