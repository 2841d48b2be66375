package jdiffusion.emulator.exec;

import static jdiffusion.emulator.exec.Lanes.LONG_STEP;
import static jdiffusion.emulator.exec.Lanes.longs;
import static jdiffusion.emulator.exec.Lanes.put;
import static jdiffusion.emulator.exec.Layout.LANES;

import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorOperators;

/** {@link WideOp}s of 64-bit registers. {@link LongOps} says the same of one lane. */
final class WideLongs {
    private WideLongs() {}

    static void copy(Warp w, int mask, int d, int a, int b, int c) {
        for (int i = 0; i < LANES; i += LONG_STEP) {
            put(w, mask, d, i, longs(w, a, i));
        }
    }

    static void add(Warp w, int mask, int d, int a, int b, int c) {
        for (int i = 0; i < LANES; i += LONG_STEP) {
            put(w, mask, d, i, longs(w, a, i).add(longs(w, b, i)));
        }
    }

    static void sub(Warp w, int mask, int d, int a, int b, int c) {
        for (int i = 0; i < LANES; i += LONG_STEP) {
            put(w, mask, d, i, longs(w, a, i).sub(longs(w, b, i)));
        }
    }

    static void mul(Warp w, int mask, int d, int a, int b, int c) {
        for (int i = 0; i < LANES; i += LONG_STEP) {
            put(w, mask, d, i, longs(w, a, i).mul(longs(w, b, i)));
        }
    }

    static void and(Warp w, int mask, int d, int a, int b, int c) {
        for (int i = 0; i < LANES; i += LONG_STEP) {
            put(w, mask, d, i, longs(w, a, i).and(longs(w, b, i)));
        }
    }

    static void or(Warp w, int mask, int d, int a, int b, int c) {
        for (int i = 0; i < LANES; i += LONG_STEP) {
            put(w, mask, d, i, longs(w, a, i).or(longs(w, b, i)));
        }
    }

    /** {@code b} is the number of places, as for the other shifts. */
    static void shl(Warp w, int mask, int d, int a, int b, int c) {
        for (int i = 0; i < LANES; i += LONG_STEP) {
            put(w, mask, d, i, b >>> 6 != 0 ? LongVector.zero(Lanes.LONGS)
                    : longs(w, a, i).lanewise(VectorOperators.LSHL, b));
        }
    }

    static void shrUnsigned(Warp w, int mask, int d, int a, int b, int c) {
        for (int i = 0; i < LANES; i += LONG_STEP) {
            put(w, mask, d, i, b >>> 6 != 0 ? LongVector.zero(Lanes.LONGS)
                    : longs(w, a, i).lanewise(VectorOperators.LSHR, b));
        }
    }

    /** {@code a} where predicate {@code c} holds, else {@code b}. */
    static void select(Warp w, int mask, int d, int a, int b, int c) {
        int chosen = w.p[c];
        for (int i = 0; i < LANES; i += LONG_STEP) {
            put(w, mask, d, i, longs(w, b, i).blend(longs(w, a, i), Lanes.chosenLongs(chosen, i)));
        }
    }

    /** A 32-bit register with its sign. */
    static void widen(Warp w, int mask, int d, int a, int b, int c) {
        int[] r = w.r;
        long[] q = w.q;
        for (int lane = 0; lane < LANES; lane++) {
            q[d + lane] = (mask >>> lane & 1) != 0 ? r[a + lane] : q[d + lane];
        }
    }

    /** A 32-bit register without sign. */
    static void widenUnsigned(Warp w, int mask, int d, int a, int b, int c) {
        int[] r = w.r;
        long[] q = w.q;
        for (int lane = 0; lane < LANES; lane++) {
            q[d + lane] = (mask >>> lane & 1) != 0 ? r[a + lane] & 0xffffffffL : q[d + lane];
        }
    }

    /** The product of two 32-bit registers. */
    static void mulWide(Warp w, int mask, int d, int a, int b, int c) {
        int[] r = w.r;
        long[] q = w.q;
        for (int lane = 0; lane < LANES; lane++) {
            q[d + lane] = (mask >>> lane & 1) != 0 ? (long) r[a + lane] * r[b + lane] : q[d + lane];
        }
    }

    static void mulWideUnsigned(Warp w, int mask, int d, int a, int b, int c) {
        int[] r = w.r;
        long[] q = w.q;
        for (int lane = 0; lane < LANES; lane++) {
            q[d + lane] = (mask >>> lane & 1) != 0 ? (r[a + lane] & 0xffffffffL) * (r[b + lane] & 0xffffffffL)
                    : q[d + lane];
        }
    }

    /** A parameter of 64 bits at offset {@code a}. */
    static void parameter(Warp w, int mask, int d, int a, int b, int c) {
        long value = Parameters.wide(w, a);
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            w.q[d + Integer.numberOfTrailingZeros(rest)] = value;
        }
    }

    static void equal(Warp w, int mask, int d, int a, int b, int c) {
        isEqual(w, mask, d, a, b, 0);
    }

    static void unequal(Warp w, int mask, int d, int a, int b, int c) {
        isEqual(w, mask, d, a, b, -1);
    }

    static void less(Warp w, int mask, int d, int a, int b, int c) {
        isLess(w, mask, d, a, b, 0, 0);
    }

    static void greater(Warp w, int mask, int d, int a, int b, int c) {
        isLess(w, mask, d, b, a, 0, 0);
    }

    static void greaterOrEqual(Warp w, int mask, int d, int a, int b, int c) {
        isLess(w, mask, d, a, b, 0, -1);
    }

    static void lessOrEqual(Warp w, int mask, int d, int a, int b, int c) {
        isLess(w, mask, d, b, a, 0, -1);
    }

    static void below(Warp w, int mask, int d, int a, int b, int c) {
        isLess(w, mask, d, a, b, Long.MIN_VALUE, 0);
    }

    static void aboveOrEqual(Warp w, int mask, int d, int a, int b, int c) {
        isLess(w, mask, d, a, b, Long.MIN_VALUE, -1);
    }

    // Each loop has one comparison: where the JIT does not know which, vectors become objects.

    /** Bits of {@code changed} become the opposite. */
    private static void isEqual(Warp w, int mask, int d, int a, int b, int changed) {
        int bits = 0;
        for (int i = 0; i < LANES; i += LONG_STEP) {
            bits |= (int) longs(w, a, i).compare(VectorOperators.EQ, longs(w, b, i)).toLong() << i;
        }
        w.p[d] = w.p[d] & ~mask | (bits ^ changed) & mask;
    }

    /** {@code flipped} are bits of the numbers that change first: the highest one where they have no sign. */
    private static void isLess(Warp w, int mask, int d, int a, int b, long flipped, int changed) {
        int bits = 0;
        for (int i = 0; i < LANES; i += LONG_STEP) {
            LongVector x = longs(w, a, i).lanewise(VectorOperators.XOR, flipped);
            LongVector y = longs(w, b, i).lanewise(VectorOperators.XOR, flipped);
            bits |= (int) x.compare(VectorOperators.LT, y).toLong() << i;
        }
        w.p[d] = w.p[d] & ~mask | (bits ^ changed) & mask;
    }
}
