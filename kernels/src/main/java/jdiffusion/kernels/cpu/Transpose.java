package jdiffusion.kernels.cpu;

import static jdiffusion.kernels.cpu.Simd.LANES;

import jdiffusion.kernels.cpu.WarmUp.Group;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;

/**
 * Transposes matrices in arrays, a square of {@link Simd#LANES} rows at a time.
 *
 * <p>Transposing a square swaps every bit of the row number with the same bit of the lane number. One butterfly on
 * the vectors of rows i and i + h swaps the bits of value h; a pass does two bits on four vectors, so a square takes
 * two passes at 512 bits, and one and a half at 256.
 */
public final class Transpose {
    private static final VectorShuffle<Float> FLIP_1 = flip(1);
    private static final VectorShuffle<Float> FLIP_2 = flip(2);
    private static final VectorShuffle<Float> FLIP_4 = flip(LANES > 4 ? 4 : 0);
    private static final VectorShuffle<Float> FLIP_8 = flip(LANES > 8 ? 8 : 0);
    private static final VectorMask<Float> HAS_1 = has(1);
    private static final VectorMask<Float> HAS_2 = has(2);
    private static final VectorMask<Float> HAS_4 = has(4);
    private static final VectorMask<Float> HAS_8 = has(8);

    private Transpose() {
    }

    /**
     * Writes the transpose of {@code from} [rows, cols] to {@code to} [cols, rows].
     *
     * @param fromStride distance of rows in {@code from}
     * @param toStride   distance of rows in {@code to}
     * @param square     scratch of LANES * LANES floats
     */
    public static void run(int rows, int cols, float[] from, int fromAt, int fromStride, float[] to, int toAt,
                           int toStride, float[] square) {
        int r = 0;
        for (; Group.TRANSPOSE.ready() && r <= rows - LANES; r += LANES) {
            int c = 0;
            for (; c <= cols - LANES; c += LANES) {
                square(from, fromAt + r * fromStride + c, fromStride, to, toAt + c * toStride + r, toStride, square);
            }
            if (c < cols && cols >= LANES) {
                // Some columns once more.
                c = cols - LANES;
                square(from, fromAt + r * fromStride + c, fromStride, to, toAt + c * toStride + r, toStride, square);
            } else {
                rest(r, r + LANES, c, cols, from, fromAt, fromStride, to, toAt, toStride);
            }
        }
        rest(r, rows, 0, cols, from, fromAt, fromStride, to, toAt, toStride);
    }

    private static void rest(int r0, int r1, int c0, int c1, float[] from, int fromAt, int fromStride, float[] to,
                             int toAt, int toStride) {
        for (int c = c0; c < c1; c++) {
            for (int r = r0; r < r1; r++) {
                to[toAt + c * toStride + r] = from[fromAt + r * fromStride + c];
            }
        }
    }

    static void square(float[] from, int at, int stride, float[] to, int toAt, int toStride, float[] square) {
        switch (LANES) {
            case 4 -> bits2And1(from, at, stride, to, toAt, toStride);
            case 8 -> {
                for (int i = 0; i < 4; i++) {
                    bit4(from, at + i * stride, 4 * stride, square, i * LANES, 4 * LANES);
                }
                for (int i = 0; i < 8; i += 4) {
                    bits2And1(square, i * LANES, LANES, to, toAt + i * toStride, toStride);
                }
            }
            default -> {
                for (int i = 0; i < 4; i++) {
                    bits8And4(from, at + i * stride, 4 * stride, square, i * LANES, 4 * LANES);
                }
                for (int i = 0; i < 16; i += 4) {
                    bits2And1(square, i * LANES, LANES, to, toAt + i * toStride, toStride);
                }
            }
        }
    }

    private static void bits8And4(float[] from, int at, int step, float[] to, int toAt, int toStep) {
        FloatVector v0 = FloatVector.fromArray(Simd.F, from, at);
        FloatVector v1 = FloatVector.fromArray(Simd.F, from, at + step);
        FloatVector v2 = FloatVector.fromArray(Simd.F, from, at + 2 * step);
        FloatVector v3 = FloatVector.fromArray(Simd.F, from, at + 3 * step);
        FloatVector w0 = v0.blend(v2.rearrange(FLIP_8), HAS_8);
        FloatVector w1 = v1.blend(v3.rearrange(FLIP_8), HAS_8);
        FloatVector w2 = v0.rearrange(FLIP_8).blend(v2, HAS_8);
        FloatVector w3 = v1.rearrange(FLIP_8).blend(v3, HAS_8);
        w0.blend(w1.rearrange(FLIP_4), HAS_4).intoArray(to, toAt);
        w0.rearrange(FLIP_4).blend(w1, HAS_4).intoArray(to, toAt + toStep);
        w2.blend(w3.rearrange(FLIP_4), HAS_4).intoArray(to, toAt + 2 * toStep);
        w2.rearrange(FLIP_4).blend(w3, HAS_4).intoArray(to, toAt + 3 * toStep);
    }

    private static void bit4(float[] from, int at, int step, float[] to, int toAt, int toStep) {
        FloatVector v0 = FloatVector.fromArray(Simd.F, from, at);
        FloatVector v1 = FloatVector.fromArray(Simd.F, from, at + step);
        v0.blend(v1.rearrange(FLIP_4), HAS_4).intoArray(to, toAt);
        v0.rearrange(FLIP_4).blend(v1, HAS_4).intoArray(to, toAt + toStep);
    }

    private static void bits2And1(float[] from, int at, int step, float[] to, int toAt, int toStep) {
        FloatVector v0 = FloatVector.fromArray(Simd.F, from, at);
        FloatVector v1 = FloatVector.fromArray(Simd.F, from, at + step);
        FloatVector v2 = FloatVector.fromArray(Simd.F, from, at + 2 * step);
        FloatVector v3 = FloatVector.fromArray(Simd.F, from, at + 3 * step);
        FloatVector w0 = v0.blend(v2.rearrange(FLIP_2), HAS_2);
        FloatVector w1 = v1.blend(v3.rearrange(FLIP_2), HAS_2);
        FloatVector w2 = v0.rearrange(FLIP_2).blend(v2, HAS_2);
        FloatVector w3 = v1.rearrange(FLIP_2).blend(v3, HAS_2);
        w0.blend(w1.rearrange(FLIP_1), HAS_1).intoArray(to, toAt);
        w0.rearrange(FLIP_1).blend(w1, HAS_1).intoArray(to, toAt + toStep);
        w2.blend(w3.rearrange(FLIP_1), HAS_1).intoArray(to, toAt + 2 * toStep);
        w2.rearrange(FLIP_1).blend(w3, HAS_1).intoArray(to, toAt + 3 * toStep);
    }

    /** Lane i reads lane i ^ bit. */
    private static VectorShuffle<Float> flip(int bit) {
        return VectorShuffle.fromOp(Simd.F, i -> i ^ bit);
    }

    private static VectorMask<Float> has(int bit) {
        long lanes = 0;
        for (int i = 0; i < LANES; i++) {
            lanes |= (i & bit) != 0 ? 1L << i : 0;
        }
        return VectorMask.fromLong(Simd.F, lanes);
    }
}
