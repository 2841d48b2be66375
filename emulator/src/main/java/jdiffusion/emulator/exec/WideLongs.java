package jdiffusion.emulator.exec;

import static jdiffusion.emulator.exec.Lanes.LONG_STEP;
import static jdiffusion.emulator.exec.Lanes.longs;
import static jdiffusion.emulator.exec.Lanes.put;
import static jdiffusion.emulator.exec.Layout.LANES;

import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorOperators.Comparison;

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
        compare(w, mask, d, a, b, VectorOperators.EQ, 0);
    }

    static void unequal(Warp w, int mask, int d, int a, int b, int c) {
        compare(w, mask, d, a, b, VectorOperators.NE, 0);
    }

    static void less(Warp w, int mask, int d, int a, int b, int c) {
        compare(w, mask, d, a, b, VectorOperators.LT, 0);
    }

    static void lessOrEqual(Warp w, int mask, int d, int a, int b, int c) {
        compare(w, mask, d, a, b, VectorOperators.LE, 0);
    }

    static void greater(Warp w, int mask, int d, int a, int b, int c) {
        compare(w, mask, d, b, a, VectorOperators.LT, 0);
    }

    static void greaterOrEqual(Warp w, int mask, int d, int a, int b, int c) {
        compare(w, mask, d, b, a, VectorOperators.LE, 0);
    }

    static void below(Warp w, int mask, int d, int a, int b, int c) {
        compare(w, mask, d, a, b, VectorOperators.LT, Long.MIN_VALUE);
    }

    static void aboveOrEqual(Warp w, int mask, int d, int a, int b, int c) {
        compare(w, mask, d, b, a, VectorOperators.LE, Long.MIN_VALUE);
    }

    /** {@code flipped} are bits that change first: the highest one for numbers without sign. */
    private static void compare(Warp w, int mask, int d, int a, int b, Comparison how, long flipped) {
        int bits = 0;
        for (int i = 0; i < LANES; i += LONG_STEP) {
            LongVector x = longs(w, a, i).lanewise(VectorOperators.XOR, flipped);
            bits |= (int) x.compare(how, longs(w, b, i).lanewise(VectorOperators.XOR, flipped)).toLong() << i;
        }
        w.p[d] = w.p[d] & ~mask | bits & mask;
    }
}
