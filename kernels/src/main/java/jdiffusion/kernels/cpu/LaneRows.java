package jdiffusion.kernels.cpu;

import static jdiffusion.kernels.cpu.Simd.LANES;
import static jdk.incubator.vector.VectorOperators.GT;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.LT;

import java.util.Arrays;
import jdiffusion.kernels.cpu.WarmUp.Group;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/**
 * Copies and sums of rows of {@link Simd#LANES} numbers: each as vectors and, for the time until these are compiled, as
 * a plain loop that gives the same bits. All begin with zero, so that a negative zero becomes a positive one.
 */
public final class LaneRows {
    private static final int UPPER = 0xffff0000;
    private static final int MAGNITUDE = 0x7fffffff;
    private static final int INFINITE = 0x7f800000;
    private static final int LEAST_NORMAL = 0x00800000;
    private static final int QUIET = 0x00400000;

    private LaneRows() {
    }

    /** Every {@code apart}-th row of {@code from}, {@code count} of them, to rows {@code width} numbers apart. */
    public static void copy(int count, float[] from, int at, int apart, float[] to, int toAt, int width) {
        if (Group.KERNELS.ready()) {
            copyVectors(count, from, at, apart, to, toAt, width);
        } else {
            copyPlain(count, from, at, apart, to, toAt, width);
        }
    }

    /**
     * The same, of two rows each a row of words: rounded to bfloat16 as {@link Products#roundPairs} does, the first in
     * the lower half.
     *
     * @param count of pairs of rows
     */
    public static void copyPairs(int count, float[] from, int at, int apart, float[] to, int toAt, int width) {
        if (Group.KERNELS.ready()) {
            pairVectors(count, from, at, apart, to, toAt, width);
        } else {
            pairPlain(count, from, at, apart, to, toAt, width);
        }
    }

    /**
     * Sums of rows of each group: row {@code group * lists.length + i} of {@code to} is the sum of those in list i, in
     * its order.
     *
     * @param size rows of a group
     */
    public static void sums(int groups, int size, int[][] lists, float[] from, float[] to) {
        if (Group.KERNELS.ready()) {
            sumVectors(groups, size, lists, from, to);
        } else {
            sumPlain(groups, size, lists, from, to);
        }
    }

    static void copyPlain(int count, float[] from, int at, int apart, float[] to, int toAt, int width) {
        for (int r = 0; r < count; r++) {
            int row = at + r * apart * LANES;
            for (int i = 0; i < LANES; i++) {
                to[toAt + r * width + i] = 0f + from[row + i];
            }
        }
    }

    static void pairPlain(int count, float[] from, int at, int apart, float[] to, int toAt, int width) {
        for (int r = 0; r < count; r++) {
            int low = at + 2 * r * apart * LANES;
            int high = low + apart * LANES;
            for (int i = 0; i < LANES; i++) {
                to[toAt + r * width + i] = Float.intBitsToFloat(
                        rounded(0f + from[low + i]) >>> 16 | rounded(0f + from[high + i]) & UPPER);
            }
        }
    }

    static void sumPlain(int groups, int size, int[][] lists, float[] from, float[] to) {
        for (int g = 0; g < groups; g++) {
            for (int l = 0; l < lists.length; l++) {
                int target = (g * lists.length + l) * LANES;
                Arrays.fill(to, target, target + LANES, 0f);
                for (int row : lists[l]) {
                    for (int i = 0; i < LANES; i++) {
                        to[target + i] += from[(g * size + row) * LANES + i];
                    }
                }
            }
        }
    }

    /** To nearest even in the upper half; subnormal numbers to zero, NaN stays one. */
    private static int rounded(float value) {
        int bits = Float.floatToRawIntBits(value);
        int magnitude = bits & MAGNITUDE;
        if (magnitude > INFINITE) {
            return bits | QUIET;
        }
        return magnitude < LEAST_NORMAL ? bits & ~MAGNITUDE : bits + 0x7fff + (bits >>> 16 & 1);
    }

    static void copyVectors(int count, float[] from, int at, int apart, float[] to, int toAt, int width) {
        for (int r = 0; r < count; r++) {
            FloatVector.fromArray(Simd.F, from, at + r * apart * LANES).add(0f).intoArray(to, toAt + r * width);
        }
    }

    static void pairVectors(int count, float[] from, int at, int apart, float[] to, int toAt, int width) {
        for (int r = 0; r < count; r++) {
            int first = at + 2 * r * apart * LANES;
            IntVector low = FloatVector.fromArray(Simd.F, from, first).add(0f).reinterpretAsInts();
            IntVector high = FloatVector.fromArray(Simd.F, from, first + apart * LANES).add(0f).reinterpretAsInts();
            roundedVector(low).lanewise(LSHR, 16).or(roundedVector(high).and(UPPER)).reinterpretAsFloats()
                    .intoArray(to, toAt + r * width);
        }
    }

    private static IntVector roundedVector(IntVector bits) {
        IntVector magnitude = bits.and(MAGNITUDE);
        return bits.lanewise(LSHR, 16).and(1).add(0x7fff).add(bits)
                .blend(bits.and(~MAGNITUDE), magnitude.compare(LT, LEAST_NORMAL))
                .blend(bits.or(QUIET), magnitude.compare(GT, INFINITE));
    }

    static void sumVectors(int groups, int size, int[][] lists, float[] from, float[] to) {
        for (int g = 0; g < groups; g++) {
            for (int l = 0; l < lists.length; l++) {
                FloatVector sum = FloatVector.zero(Simd.F);
                for (int row : lists[l]) {
                    sum = FloatVector.fromArray(Simd.F, from, (g * size + row) * LANES).add(sum);
                }
                sum.intoArray(to, (g * lists.length + l) * LANES);
            }
        }
    }

    /** All loops on scraps. */
    static void everyKind(float[] from, float[] to) {
        int rows = 8;
        copyVectors(rows, from, 0, 1, to, 0, LANES);
        pairVectors(rows / 2, from, 0, 1, to, 0, LANES);
        sumVectors(rows / 2, 2, new int[][] {{0, 1}, {1}}, from, to);
    }
}
