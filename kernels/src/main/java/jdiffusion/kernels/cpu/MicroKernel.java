package jdiffusion.kernels.cpu;

import jdiffusion.kernels.cpu.WarmUp.Group;
import jdk.incubator.vector.FloatVector;

/**
 * The inner loop of all matrix products: a tile of {@link #MR} x {@link #NR} sums held in registers.
 *
 * <p>A is {@link #MR} rows as they lie, B is packed to a panel [k][NR], the tile is [MR][NR]. Operands are heap
 * arrays: range checks on them leave the loop entirely. With 32 vector registers (AVX-512) the tile is 6 x 4 vectors:
 * 24 sums, 4 of B, 1 of A. With 16 it is 6 x 2.
 */
public final class MicroKernel {
    /** Rows of a tile. */
    public static final int MR = 6;
    private static final boolean WIDE = Simd.BITS == 512;
    /** Columns of a tile. */
    public static final int NR = (WIDE ? 4 : 2) * Simd.LANES;
    /** Floats of a tile. */
    public static final int TILE = MR * NR;

    private static final int L = Simd.LANES;

    private MicroKernel() {
    }

    /**
     * tile += A B, each sum one chain of fused multiply-adds in the order of k.
     *
     * @param k       steps; must be even
     * @param aStride distance of A's rows
     */
    public static void multiply(int k, float[] a, int aOffset, int aStride, float[] b, int bOffset, float[] tile,
                                int tileOffset) {
        if (Group.PRODUCT.ready()) {
            vectors(k, a, aOffset, aStride, b, bOffset, tile, tileOffset);
        } else {
            plain(k, a, aOffset, aStride, b, bOffset, NR, tile, tileOffset);
        }
    }

    /** As {@link #multiply} for few columns: B is a panel [k][LANES], the tile [MR][LANES]. */
    public static void multiplyNarrow(int k, float[] a, int aOffset, int aStride, float[] b, int bOffset, float[] tile,
                                      int tileOffset) {
        if (Group.NARROW_PRODUCT.ready()) {
            narrowVectors(k, a, aOffset, aStride, b, bOffset, tile, tileOffset);
        } else {
            plain(k, a, aOffset, aStride, b, bOffset, L, tile, tileOffset);
        }
    }

    static void vectors(int k, float[] a, int ai, int as, float[] b, int bi, float[] c, int ci) {
        if (WIDE) {
            rows6x4(k, a, ai, as, b, bi, c, ci);
        } else {
            rows6x2(k, a, ai, as, b, bi, c, ci);
        }
    }

    /** The same sums without vectors. */
    static void plain(int k, float[] a, int ai, int as, float[] b, int bi, int width, float[] c, int ci) {
        for (int r = 0; r < MR; r++) {
            for (int p = 0; p < k; p++) {
                addRow(a[ai + r * as + p], b, bi + p * width, width, c, ci + r * width);
            }
        }
    }

    private static void addRow(float x, float[] b, int bi, int width, float[] c, int ci) {
        for (int j = 0; j < width; j++) {
            c[ci + j] = Math.fma(x, b[bi + j], c[ci + j]);
        }
    }

    static void narrowVectors(int k, float[] a, int ai, int as, float[] b, int bi, float[] c, int ci) {
        FloatVector c0 = FloatVector.fromArray(Simd.F, c, ci);
        FloatVector c1 = FloatVector.fromArray(Simd.F, c, ci + L);
        FloatVector c2 = FloatVector.fromArray(Simd.F, c, ci + 2 * L);
        FloatVector c3 = FloatVector.fromArray(Simd.F, c, ci + 3 * L);
        FloatVector c4 = FloatVector.fromArray(Simd.F, c, ci + 4 * L);
        FloatVector c5 = FloatVector.fromArray(Simd.F, c, ci + 5 * L);
        int a1 = ai + as;
        int a2 = ai + 2 * as;
        int a3 = ai + 3 * as;
        int a4 = ai + 4 * as;
        int a5 = ai + 5 * as;
        for (int p = 0; p < k; p++) {
            FloatVector x = FloatVector.fromArray(Simd.F, b, bi + p * L);
            c0 = x.fma(FloatVector.broadcast(Simd.F, a[ai + p]), c0);
            c1 = x.fma(FloatVector.broadcast(Simd.F, a[a1 + p]), c1);
            c2 = x.fma(FloatVector.broadcast(Simd.F, a[a2 + p]), c2);
            c3 = x.fma(FloatVector.broadcast(Simd.F, a[a3 + p]), c3);
            c4 = x.fma(FloatVector.broadcast(Simd.F, a[a4 + p]), c4);
            c5 = x.fma(FloatVector.broadcast(Simd.F, a[a5 + p]), c5);
        }
        c0.intoArray(c, ci);
        c1.intoArray(c, ci + L);
        c2.intoArray(c, ci + 2 * L);
        c3.intoArray(c, ci + 3 * L);
        c4.intoArray(c, ci + 4 * L);
        c5.intoArray(c, ci + 5 * L);
    }

    private static void rows6x4(int k, float[] a, int ai, int as, float[] b, int bi, float[] c, int ci) {
        FloatVector c00 = FloatVector.fromArray(Simd.F, c, ci);
        FloatVector c01 = FloatVector.fromArray(Simd.F, c, ci + L);
        FloatVector c02 = FloatVector.fromArray(Simd.F, c, ci + 2 * L);
        FloatVector c03 = FloatVector.fromArray(Simd.F, c, ci + 3 * L);
        FloatVector c10 = FloatVector.fromArray(Simd.F, c, ci + 4 * L);
        FloatVector c11 = FloatVector.fromArray(Simd.F, c, ci + 5 * L);
        FloatVector c12 = FloatVector.fromArray(Simd.F, c, ci + 6 * L);
        FloatVector c13 = FloatVector.fromArray(Simd.F, c, ci + 7 * L);
        FloatVector c20 = FloatVector.fromArray(Simd.F, c, ci + 8 * L);
        FloatVector c21 = FloatVector.fromArray(Simd.F, c, ci + 9 * L);
        FloatVector c22 = FloatVector.fromArray(Simd.F, c, ci + 10 * L);
        FloatVector c23 = FloatVector.fromArray(Simd.F, c, ci + 11 * L);
        FloatVector c30 = FloatVector.fromArray(Simd.F, c, ci + 12 * L);
        FloatVector c31 = FloatVector.fromArray(Simd.F, c, ci + 13 * L);
        FloatVector c32 = FloatVector.fromArray(Simd.F, c, ci + 14 * L);
        FloatVector c33 = FloatVector.fromArray(Simd.F, c, ci + 15 * L);
        FloatVector c40 = FloatVector.fromArray(Simd.F, c, ci + 16 * L);
        FloatVector c41 = FloatVector.fromArray(Simd.F, c, ci + 17 * L);
        FloatVector c42 = FloatVector.fromArray(Simd.F, c, ci + 18 * L);
        FloatVector c43 = FloatVector.fromArray(Simd.F, c, ci + 19 * L);
        FloatVector c50 = FloatVector.fromArray(Simd.F, c, ci + 20 * L);
        FloatVector c51 = FloatVector.fromArray(Simd.F, c, ci + 21 * L);
        FloatVector c52 = FloatVector.fromArray(Simd.F, c, ci + 22 * L);
        FloatVector c53 = FloatVector.fromArray(Simd.F, c, ci + 23 * L);
        int a1 = ai + as;
        int a2 = ai + 2 * as;
        int a3 = ai + 3 * as;
        int a4 = ai + 4 * as;
        int a5 = ai + 5 * as;
        for (int p = 0; p < k; p++) {
            FloatVector b0 = FloatVector.fromArray(Simd.F, b, bi + p * NR);
            FloatVector b1 = FloatVector.fromArray(Simd.F, b, bi + p * NR + L);
            FloatVector b2 = FloatVector.fromArray(Simd.F, b, bi + p * NR + 2 * L);
            FloatVector b3 = FloatVector.fromArray(Simd.F, b, bi + p * NR + 3 * L);
            FloatVector x = FloatVector.broadcast(Simd.F, a[ai + p]);
            c00 = x.fma(b0, c00);
            c01 = x.fma(b1, c01);
            c02 = x.fma(b2, c02);
            c03 = x.fma(b3, c03);
            x = FloatVector.broadcast(Simd.F, a[a1 + p]);
            c10 = x.fma(b0, c10);
            c11 = x.fma(b1, c11);
            c12 = x.fma(b2, c12);
            c13 = x.fma(b3, c13);
            x = FloatVector.broadcast(Simd.F, a[a2 + p]);
            c20 = x.fma(b0, c20);
            c21 = x.fma(b1, c21);
            c22 = x.fma(b2, c22);
            c23 = x.fma(b3, c23);
            x = FloatVector.broadcast(Simd.F, a[a3 + p]);
            c30 = x.fma(b0, c30);
            c31 = x.fma(b1, c31);
            c32 = x.fma(b2, c32);
            c33 = x.fma(b3, c33);
            x = FloatVector.broadcast(Simd.F, a[a4 + p]);
            c40 = x.fma(b0, c40);
            c41 = x.fma(b1, c41);
            c42 = x.fma(b2, c42);
            c43 = x.fma(b3, c43);
            x = FloatVector.broadcast(Simd.F, a[a5 + p]);
            c50 = x.fma(b0, c50);
            c51 = x.fma(b1, c51);
            c52 = x.fma(b2, c52);
            c53 = x.fma(b3, c53);
        }
        c00.intoArray(c, ci);
        c01.intoArray(c, ci + L);
        c02.intoArray(c, ci + 2 * L);
        c03.intoArray(c, ci + 3 * L);
        c10.intoArray(c, ci + 4 * L);
        c11.intoArray(c, ci + 5 * L);
        c12.intoArray(c, ci + 6 * L);
        c13.intoArray(c, ci + 7 * L);
        c20.intoArray(c, ci + 8 * L);
        c21.intoArray(c, ci + 9 * L);
        c22.intoArray(c, ci + 10 * L);
        c23.intoArray(c, ci + 11 * L);
        c30.intoArray(c, ci + 12 * L);
        c31.intoArray(c, ci + 13 * L);
        c32.intoArray(c, ci + 14 * L);
        c33.intoArray(c, ci + 15 * L);
        c40.intoArray(c, ci + 16 * L);
        c41.intoArray(c, ci + 17 * L);
        c42.intoArray(c, ci + 18 * L);
        c43.intoArray(c, ci + 19 * L);
        c50.intoArray(c, ci + 20 * L);
        c51.intoArray(c, ci + 21 * L);
        c52.intoArray(c, ci + 22 * L);
        c53.intoArray(c, ci + 23 * L);
    }

    private static void rows6x2(int k, float[] a, int ai, int as, float[] b, int bi, float[] c, int ci) {
        FloatVector c00 = FloatVector.fromArray(Simd.F, c, ci);
        FloatVector c01 = FloatVector.fromArray(Simd.F, c, ci + L);
        FloatVector c10 = FloatVector.fromArray(Simd.F, c, ci + 2 * L);
        FloatVector c11 = FloatVector.fromArray(Simd.F, c, ci + 3 * L);
        FloatVector c20 = FloatVector.fromArray(Simd.F, c, ci + 4 * L);
        FloatVector c21 = FloatVector.fromArray(Simd.F, c, ci + 5 * L);
        FloatVector c30 = FloatVector.fromArray(Simd.F, c, ci + 6 * L);
        FloatVector c31 = FloatVector.fromArray(Simd.F, c, ci + 7 * L);
        FloatVector c40 = FloatVector.fromArray(Simd.F, c, ci + 8 * L);
        FloatVector c41 = FloatVector.fromArray(Simd.F, c, ci + 9 * L);
        FloatVector c50 = FloatVector.fromArray(Simd.F, c, ci + 10 * L);
        FloatVector c51 = FloatVector.fromArray(Simd.F, c, ci + 11 * L);
        int a1 = ai + as;
        int a2 = ai + 2 * as;
        int a3 = ai + 3 * as;
        int a4 = ai + 4 * as;
        int a5 = ai + 5 * as;
        // Two steps a round: with one, the bookkeeping costs a tenth of the speed.
        for (int p = 0; p < k; p += 2) {
            FloatVector b0 = FloatVector.fromArray(Simd.F, b, bi + p * NR);
            FloatVector b1 = FloatVector.fromArray(Simd.F, b, bi + p * NR + L);
            FloatVector x = FloatVector.broadcast(Simd.F, a[ai + p]);
            c00 = x.fma(b0, c00);
            c01 = x.fma(b1, c01);
            x = FloatVector.broadcast(Simd.F, a[a1 + p]);
            c10 = x.fma(b0, c10);
            c11 = x.fma(b1, c11);
            x = FloatVector.broadcast(Simd.F, a[a2 + p]);
            c20 = x.fma(b0, c20);
            c21 = x.fma(b1, c21);
            x = FloatVector.broadcast(Simd.F, a[a3 + p]);
            c30 = x.fma(b0, c30);
            c31 = x.fma(b1, c31);
            x = FloatVector.broadcast(Simd.F, a[a4 + p]);
            c40 = x.fma(b0, c40);
            c41 = x.fma(b1, c41);
            x = FloatVector.broadcast(Simd.F, a[a5 + p]);
            c50 = x.fma(b0, c50);
            c51 = x.fma(b1, c51);
            b0 = FloatVector.fromArray(Simd.F, b, bi + (p + 1) * NR);
            b1 = FloatVector.fromArray(Simd.F, b, bi + (p + 1) * NR + L);
            x = FloatVector.broadcast(Simd.F, a[ai + p + 1]);
            c00 = x.fma(b0, c00);
            c01 = x.fma(b1, c01);
            x = FloatVector.broadcast(Simd.F, a[a1 + p + 1]);
            c10 = x.fma(b0, c10);
            c11 = x.fma(b1, c11);
            x = FloatVector.broadcast(Simd.F, a[a2 + p + 1]);
            c20 = x.fma(b0, c20);
            c21 = x.fma(b1, c21);
            x = FloatVector.broadcast(Simd.F, a[a3 + p + 1]);
            c30 = x.fma(b0, c30);
            c31 = x.fma(b1, c31);
            x = FloatVector.broadcast(Simd.F, a[a4 + p + 1]);
            c40 = x.fma(b0, c40);
            c41 = x.fma(b1, c41);
            x = FloatVector.broadcast(Simd.F, a[a5 + p + 1]);
            c50 = x.fma(b0, c50);
            c51 = x.fma(b1, c51);
        }
        c00.intoArray(c, ci);
        c01.intoArray(c, ci + L);
        c10.intoArray(c, ci + 2 * L);
        c11.intoArray(c, ci + 3 * L);
        c20.intoArray(c, ci + 4 * L);
        c21.intoArray(c, ci + 5 * L);
        c30.intoArray(c, ci + 6 * L);
        c31.intoArray(c, ci + 7 * L);
        c40.intoArray(c, ci + 8 * L);
        c41.intoArray(c, ci + 9 * L);
        c50.intoArray(c, ci + 10 * L);
        c51.intoArray(c, ci + 11 * L);
    }
}
