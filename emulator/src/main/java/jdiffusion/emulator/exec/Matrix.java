package jdiffusion.emulator.exec;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/** Tensor-core instructions. Products of 16 or 8 bits are exact in float32 and summed there, k ascending. */
final class Matrix {
    private static final int COLUMNS = 8;
    private static final VectorSpecies<Float> ROW = FloatVector.SPECIES_256;
    private static final VectorSpecies<Integer> INT_ROW = IntVector.SPECIES_256;
    private static final VectorSpecies<Integer> QUAD = IntVector.SPECIES_128;
    /** Of lane t of a register of B with some values of k, the lanes that have the same k of each column. */
    private static final int[] SAME_K = new int[4 * COLUMNS];
    private static final ThreadLocal<Matrix> SCRATCH = ThreadLocal.withInitial(Matrix::new);

    static {
        for (int i = 0; i < SAME_K.length; i++) {
            SAME_K[i] = 4 * column(i % COLUMNS) + i / COLUMNS;
        }
    }

    /**
     * As the registers have it: of register a0 the lowest parts of all lanes, then their next ones, then the same of
     * the other registers. Lane 4g + t has row g, of a1 and a3 row g + 8.
     */
    private final float[] a = new float[16 * 16];
    /** By k, then columns in the order of {@link #column}. */
    private final float[] b = new float[16 * COLUMNS];
    private final int[] c = new int[16 * COLUMNS];
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
        m.unpackA(r, bf16 != 0, a0, 0);
        m.unpackA(r, bf16 != 0, a1, 1);
        m.unpackB(r, bf16 != 0, b0, 0);
        if (depth == 16) {
            m.unpackA(r, bf16 != 0, a2, 2);
            m.unpackA(r, bf16 != 0, a3, 3);
            m.unpackB(r, bf16 != 0, b1, 8);
        }
        if (half != 0) {
            m.loadHalf(r, c0, 0);
            m.loadHalf(r, c1, 8);
        } else {
            m.loadC(r, c0, c1, 0);
            m.loadC(r, c2, c3, 8);
        }
        m.multiply(depth / 8, 2);
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
        m.unpackBytesA(r, ofA, a1, 1);
        m.unpackBytesB(r, ofB, b0);
        m.multiply(1, 4);
        m.unpackBytesA(r, ofA, a2, 0);
        m.unpackBytesA(r, ofA, a3, 1);
        m.unpackBytesB(r, ofB, b1);
        m.multiply(1, 4);
        m.storeD(r, d0, d1, 0, mask);
        m.storeD(r, d2, d3, 8, mask);
    }

    /** Where the even columns stand before the odd ones, as registers 0 and 1 of C have them, the one at a place. */
    private static int column(int place) {
        return place < 4 ? 2 * place : 2 * (place - 4) + 1;
    }

    private void unpackBytesA(int[] r, float[] values, int slot, int register) {
        for (int l = 0; l < Layout.LANES; l++) {
            int four = r[slot + l];
            for (int i = 0; i < 4; i++) {
                a[(4 * register + i) * Layout.LANES + l] = values[four >>> 8 * i & 0xff];
            }
        }
    }

    private void unpackBytesB(int[] r, float[] values, int slot) {
        for (int i = 0; i < SAME_K.length; i++) {
            int four = r[slot + SAME_K[i]];
            for (int k = 0; k < 4; k++) {
                b[(4 * (i / COLUMNS) + k) * COLUMNS + i % COLUMNS] = values[four >>> 8 * k & 0xff];
            }
        }
    }

    /**
     * Adds the product to C.
     *
     * @param registers of A for each half of the rows
     * @param parts     in a register
     */
    private void multiply(int registers, int parts) {
        float[] a = this.a;
        float[] b = this.b;
        int[] c = this.c;
        for (int row = 0; row < 16; row += 4) {
            int at = row * COLUMNS;
            FloatVector s0 = IntVector.fromArray(INT_ROW, c, at).reinterpretAsFloats();
            FloatVector s1 = IntVector.fromArray(INT_ROW, c, at + COLUMNS).reinterpretAsFloats();
            FloatVector s2 = IntVector.fromArray(INT_ROW, c, at + 2 * COLUMNS).reinterpretAsFloats();
            FloatVector s3 = IntVector.fromArray(INT_ROW, c, at + 3 * COLUMNS).reinterpretAsFloats();
            int k = 0;
            for (int register = 0; register < registers; register++) {
                int from = (2 * register + (row >> 3)) * parts * Layout.LANES + 4 * (row & 7);
                for (int i = 0, factor = from; i < 4 * parts; i++) {
                    FloatVector y = FloatVector.fromArray(ROW, b, k);
                    s0 = y.fma(FloatVector.broadcast(ROW, a[factor]), s0);
                    s1 = y.fma(FloatVector.broadcast(ROW, a[factor + 4]), s1);
                    s2 = y.fma(FloatVector.broadcast(ROW, a[factor + 8]), s2);
                    s3 = y.fma(FloatVector.broadcast(ROW, a[factor + 12]), s3);
                    k += COLUMNS;
                    // The next part of the lane, or the first one of the next lane; parts are a power of two.
                    factor += (i + 1 & parts - 1) != 0 ? Layout.LANES : 1 - (parts - 1) * Layout.LANES;
                }
            }
            s0.reinterpretAsInts().intoArray(c, at);
            s1.reinterpretAsInts().intoArray(c, at + COLUMNS);
            s2.reinterpretAsInts().intoArray(c, at + 2 * COLUMNS);
            s3.reinterpretAsInts().intoArray(c, at + 3 * COLUMNS);
        }
    }

    private void unpackA(int[] r, boolean bf16, int slot, int register) {
        float[] to = a;
        int at = 2 * register * Layout.LANES;
        if (bf16) {
            for (int l = 0; l < Layout.LANES; l += COLUMNS) {
                IntVector pairs = IntVector.fromArray(INT_ROW, r, slot + l);
                pairs.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().intoArray(to, at + l);
                pairs.and(0xffff0000).reinterpretAsFloats().intoArray(to, at + Layout.LANES + l);
            }
            return;
        }
        for (int l = 0; l < Layout.LANES; l++) {
            to[at + l] = low(r[slot + l]);
            to[at + Layout.LANES + l] = high(r[slot + l]);
        }
    }

    private void unpackB(int[] r, boolean bf16, int slot, int k) {
        float[] to = b;
        for (int t = 0; t < 4; t++) {
            int at = (k + 2 * t) * COLUMNS;
            if (bf16) {
                IntVector pairs = IntVector.fromArray(INT_ROW, r, slot, SAME_K, t * COLUMNS);
                pairs.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().intoArray(to, at);
                pairs.and(0xffff0000).reinterpretAsFloats().intoArray(to, at + COLUMNS);
                continue;
            }
            for (int i = 0; i < COLUMNS; i++) {
                int pair = r[slot + SAME_K[t * COLUMNS + i]];
                to[at + i] = low(pair);
                to[at + COLUMNS + i] = high(pair);
            }
        }
    }

    private static float low(int pair) {
        return Float.float16ToFloat((short) pair);
    }

    private static float high(int pair) {
        return Float.float16ToFloat((short) (pair >>> 16));
    }

    private void loadC(int[] r, int even, int odd, int row) {
        for (int l = 0; l < Layout.LANES; l += 4) {
            int at = (row + (l >> 2)) * COLUMNS;
            IntVector.fromArray(QUAD, r, even + l).intoArray(c, at);
            IntVector.fromArray(QUAD, r, odd + l).intoArray(c, at + 4);
        }
    }

    private void storeD(int[] r, int even, int odd, int row, int mask) {
        for (int l = 0; l < Layout.LANES; l += 4) {
            int at = (row + (l >> 2)) * COLUMNS;
            if (mask == -1) {
                IntVector.fromArray(QUAD, c, at).intoArray(r, even + l);
                IntVector.fromArray(QUAD, c, at + 4).intoArray(r, odd + l);
                continue;
            }
            for (int t = 0; t < 4; t++) {
                if ((mask >>> l + t & 1) != 0) {
                    r[even + l + t] = c[at + t];
                    r[odd + l + t] = c[at + 4 + t];
                }
            }
        }
    }

    private static int place(int lane, int row) {
        return (row + (lane >> 2)) * COLUMNS + (lane & 3);
    }

    private void loadHalf(int[] r, int slot, int row) {
        for (int l = 0; l < Layout.LANES; l++) {
            c[place(l, row)] = Float.floatToRawIntBits(low(r[slot + l]));
            c[place(l, row) + 4] = Float.floatToRawIntBits(high(r[slot + l]));
        }
    }

    private void storeHalf(int[] r, int slot, int row, int mask) {
        for (int l = 0; l < Layout.LANES; l++) {
            if ((mask >>> l & 1) != 0) {
                r[slot + l] = Conversions.packF16(Float.intBitsToFloat(c[place(l, row) + 4]),
                        Float.intBitsToFloat(c[place(l, row)]), Rounding.RN);
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
            if (transposed == 0 && mask == -1) {
                for (int row = 0; row < 8; row++) {
                    IntVector.fromArray(QUAD, words, (int) (rows[8 * j + row] >> 2)).intoArray(w.r, d + 4 * row);
                }
                continue;
            }
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
