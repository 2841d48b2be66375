package jdiffusion.emulator.exec;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/** Tensor-core instructions. Products of 16 or 8 bits are exact in float32 and summed there, k ascending. */
final class Matrix {
    private static final int COLUMNS = 8;
    private static final VectorSpecies<Float> ROW = FloatVector.SPECIES_256;
    private static final ThreadLocal<Matrix> SCRATCH = ThreadLocal.withInitial(Matrix::new);

    /** Rows by k. */
    private final float[] a = new float[16 * 16];
    /** By k, then columns. */
    private final float[] b = new float[16 * COLUMNS];
    private final float[] c = new float[16 * COLUMNS];
    private final long[] rows = new long[Layout.LANES];

    private Matrix() {}

    /**
     * {@code D = A B + C} for A of 16 by {@code depth} and B of {@code depth} by 8 (depth 8 or 16).
     *
     * <p>Arguments are slots: a0 to a3 (a0, a1 at depth 8), b0, b1 (b0), c0 to c3 and d0 to d3 (0 and 1 when they hold
     * float16 pairs). Lane 4g + t holds of A rows g and g + 8, of B column g, of C and D rows g and g + 8.
     *
     * @param bf16 1 for bfloat16, 0 for float16 operands
     * @param half 1 when C and D are float16
     */
    static void mma(Warp w, int mask, int site, int depth, int bf16, int half, int a0, int a1, int a2, int a3, int b0,
            int b1, int c0, int c1, int c2, int c3, int d0, int d1, int d2, int d3) {
        if (w.block.checker() != null) {
            w.checkWhole(mask, site);
        }
        Matrix m = SCRATCH.get();
        int[] r = w.r;
        m.unpackA(r, bf16 != 0, a0, 0, 0);
        m.unpackA(r, bf16 != 0, a1, 8, 0);
        m.unpackB(r, bf16 != 0, b0, 0);
        if (depth == 16) {
            m.unpackA(r, bf16 != 0, a2, 0, 8);
            m.unpackA(r, bf16 != 0, a3, 8, 8);
            m.unpackB(r, bf16 != 0, b1, 8);
        }
        if (half != 0) {
            m.loadHalf(r, c0, 0);
            m.loadHalf(r, c1, 8);
        } else {
            m.loadC(r, c0, c1, 0);
            m.loadC(r, c2, c3, 8);
        }
        m.multiply(depth);
        if (half != 0) {
            m.storeHalf(r, d0, 0, mask);
            m.storeHalf(r, d1, 8, mask);
        } else {
            m.storeD(r, d0, d1, 0, mask);
            m.storeD(r, d2, d3, 8, mask);
        }
    }

    /**
     * {@code D = A B + C} for A of 16 by 32 and B of 32 by 8, both of 8 bits: the fragments hold bytes where those of
     * depth 16 hold pairs.
     *
     * @param a5 1 for A of e5m2, 0 for e4m3; b5 likewise
     */
    static void mmaFloat8(Warp w, int mask, int site, int a5, int b5, int a0, int a1, int a2, int a3, int b0, int b1,
            int c0, int c1, int c2, int c3, int d0, int d1, int d2, int d3) {
        if (w.block.checker() != null) {
            w.checkWhole(mask, site);
        }
        Matrix m = SCRATCH.get();
        int[] r = w.r;
        float[] ofA = Float8.values(a5 != 0);
        float[] ofB = Float8.values(b5 != 0);
        m.loadC(r, c0, c1, 0);
        m.loadC(r, c2, c3, 8);
        // The first 16 of k, then the others.
        m.unpackBytesA(r, ofA, a0, 0);
        m.unpackBytesA(r, ofA, a1, 8);
        m.unpackBytesB(r, ofB, b0);
        m.multiply(16);
        m.unpackBytesA(r, ofA, a2, 0);
        m.unpackBytesA(r, ofA, a3, 8);
        m.unpackBytesB(r, ofB, b1);
        m.multiply(16);
        m.storeD(r, d0, d1, 0, mask);
        m.storeD(r, d2, d3, 8, mask);
    }

    private void unpackBytesA(int[] r, float[] values, int slot, int row) {
        for (int l = 0; l < Layout.LANES; l++) {
            int four = r[slot + l];
            int at = (row + (l >> 2)) * 16 + 4 * (l & 3);
            for (int i = 0; i < 4; i++) {
                a[at + i] = values[four >>> 8 * i & 0xff];
            }
        }
    }

    private void unpackBytesB(int[] r, float[] values, int slot) {
        for (int l = 0; l < Layout.LANES; l++) {
            int four = r[slot + l];
            int at = 4 * (l & 3) * COLUMNS + (l >> 2);
            for (int i = 0; i < 4; i++) {
                b[at + i * COLUMNS] = values[four >>> 8 * i & 0xff];
            }
        }
    }

    private void multiply(int depth) {
        float[] a = this.a;
        float[] b = this.b;
        float[] c = this.c;
        for (int row = 0; row < 16; row += 4) {
            int at = row * COLUMNS;
            int from = row * 16;
            FloatVector s0 = FloatVector.fromArray(ROW, c, at);
            FloatVector s1 = FloatVector.fromArray(ROW, c, at + COLUMNS);
            FloatVector s2 = FloatVector.fromArray(ROW, c, at + 2 * COLUMNS);
            FloatVector s3 = FloatVector.fromArray(ROW, c, at + 3 * COLUMNS);
            for (int k = 0; k < depth; k++) {
                FloatVector y = FloatVector.fromArray(ROW, b, k * COLUMNS);
                s0 = y.fma(FloatVector.broadcast(ROW, a[from + k]), s0);
                s1 = y.fma(FloatVector.broadcast(ROW, a[from + k + 16]), s1);
                s2 = y.fma(FloatVector.broadcast(ROW, a[from + k + 32]), s2);
                s3 = y.fma(FloatVector.broadcast(ROW, a[from + k + 48]), s3);
            }
            s0.intoArray(c, at);
            s1.intoArray(c, at + COLUMNS);
            s2.intoArray(c, at + 2 * COLUMNS);
            s3.intoArray(c, at + 3 * COLUMNS);
        }
    }

    private static float low(int pair, boolean bf16) {
        return bf16 ? Float.intBitsToFloat(pair << 16) : Float.float16ToFloat((short) pair);
    }

    private static float high(int pair, boolean bf16) {
        return bf16 ? Float.intBitsToFloat(pair & 0xffff0000) : Float.float16ToFloat((short) (pair >>> 16));
    }

    private void unpackA(int[] r, boolean bf16, int slot, int row, int k) {
        float[] to = a;
        for (int l = 0; l < Layout.LANES; l++) {
            int pair = r[slot + l];
            int at = (row + (l >> 2)) * 16 + k + 2 * (l & 3);
            to[at] = low(pair, bf16);
            to[at + 1] = high(pair, bf16);
        }
    }

    private void unpackB(int[] r, boolean bf16, int slot, int k) {
        float[] to = b;
        for (int l = 0; l < Layout.LANES; l++) {
            int pair = r[slot + l];
            int at = (k + 2 * (l & 3)) * COLUMNS + (l >> 2);
            to[at] = low(pair, bf16);
            to[at + COLUMNS] = high(pair, bf16);
        }
    }

    private static int place(int lane, int row) {
        return (row + (lane >> 2)) * COLUMNS + 2 * (lane & 3);
    }

    private void loadC(int[] r, int even, int odd, int row) {
        for (int l = 0; l < Layout.LANES; l++) {
            c[place(l, row)] = Float.intBitsToFloat(r[even + l]);
            c[place(l, row) + 1] = Float.intBitsToFloat(r[odd + l]);
        }
    }

    private void storeD(int[] r, int even, int odd, int row, int mask) {
        for (int l = 0; l < Layout.LANES; l++) {
            if ((mask >>> l & 1) != 0) {
                r[even + l] = Float.floatToRawIntBits(c[place(l, row)]);
                r[odd + l] = Float.floatToRawIntBits(c[place(l, row) + 1]);
            }
        }
    }

    private void loadHalf(int[] r, int slot, int row) {
        for (int l = 0; l < Layout.LANES; l++) {
            c[place(l, row)] = low(r[slot + l], false);
            c[place(l, row) + 1] = high(r[slot + l], false);
        }
    }

    private void storeHalf(int[] r, int slot, int row, int mask) {
        for (int l = 0; l < Layout.LANES; l++) {
            if ((mask >>> l & 1) != 0) {
                r[slot + l] = Conversions.packF16(c[place(l, row) + 1], c[place(l, row)], Rounding.RN);
            }
        }
    }

    /**
     * Loads {@code n} (1, 2 or 4) 8 by 8 matrices of 16-bit elements from shared memory. The address of row i of
     * matrix j is that of lane 8j + i; lane l gets elements 2(l mod 4) and the next of row l / 4, or, transposed, of
     * column l / 4.
     */
    static void ldmatrix(Warp w, int mask, int site, int n, int transposed, int d0, int d1, int d2, int d3) {
        int lanes = n == 4 ? mask : mask & (1 << 8 * n) - 1;
        SharedMemory.checkBounds(w, w.address, lanes, site, 16, false);
        Block block = w.block;
        if (block.checker() != null) {
            w.checkWhole(mask, site);
            block.checker().access(w, lanes, site, 16, SharedChecker.READ);
        }
        if (block.profile() != null) {
            block.profile().shared(site, w.address, lanes, 16);
        }
        int[] words = block.shared().words;
        long[] rows = SCRATCH.get().rows;
        System.arraycopy(w.address, 0, rows, 0, Layout.LANES);
        for (int j = 0; j < n; j++) {
            int d = j == 0 ? d0 : j == 1 ? d1 : j == 2 ? d2 : d3;
            for (int l = 0; l < Layout.LANES; l++) {
                if ((mask >>> l & 1) == 0) {
                    continue;
                }
                if (transposed == 0) {
                    w.r[d + l] = words[(int) (rows[8 * j + (l >> 2)] >> 2) + (l & 3)];
                } else {
                    int row = 8 * j + 2 * (l & 3);
                    w.r[d + l] = element(words, rows[row], l >> 2) | element(words, rows[row + 1], l >> 2) << 16;
                }
            }
        }
    }

    /** The reverse of {@link #ldmatrix}: the registers' elements go to the rows whose addresses the lanes give. */
    static void stmatrix(Warp w, int mask, int site, int n, int transposed, int d0, int d1, int d2, int d3) {
        int lanes = n == 4 ? mask : mask & (1 << 8 * n) - 1;
        Block block = w.block;
        if (block.checker() != null) {
            w.checkWhole(mask, site);
        }
        int again = SharedMemory.check(w, lanes, site, 16, true);
        int[] words = block.shared().words;
        for (int lane = 0; lane < 8 * n; lane++) {
            int d = lane < 8 ? d0 : lane < 16 ? d1 : lane < 24 ? d2 : d3;
            int row = lane & 7;
            for (int pair = 0; pair < 4; pair++) {
                int at = (int) (w.address[lane] >> 2) + pair;
                int value = transposed == 0 ? w.r[d + 4 * row + pair] : half(w.r[d + 8 * pair + (row >> 1)], row)
                        | half(w.r[d + 8 * pair + 4 + (row >> 1)], row) << 16;
                if ((again >>> lane & 1) != 0 && words[at] != value) {
                    throw block.checker().differing(lane);
                }
                words[at] = value;
            }
        }
    }

    /** Transposes 8 by 8 halves, of which lane l holds elements 2(l mod 4) and the next of row l / 4. */
    static void movmatrix(Warp w, int mask, int site, int d, int a) {
        if (w.block.checker() != null) {
            w.checkWhole(mask, site);
        }
        int[] rows = Arrays.copyOfRange(w.r, a, a + Layout.LANES);
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            int column = lane >> 2;
            int from = 8 * (lane & 3) + (column >> 1);
            w.r[d + lane] = half(rows[from], column) | half(rows[from + 4], column) << 16;
        }
    }

    private static int half(int pair, int which) {
        return pair >>> 16 * (which & 1) & 0xffff;
    }

    private static int element(int[] words, long row, int column) {
        return words[(int) (row >> 2) + (column >> 1)] >>> 16 * (column & 1) & 0xffff;
    }
}
