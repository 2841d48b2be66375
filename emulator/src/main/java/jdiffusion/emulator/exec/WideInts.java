package jdiffusion.emulator.exec;

import static jdiffusion.emulator.exec.Lanes.STEP;
import static jdiffusion.emulator.exec.Lanes.ints;
import static jdiffusion.emulator.exec.Lanes.put;
import static jdiffusion.emulator.exec.Layout.LANES;

import java.util.Arrays;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorOperators.Comparison;

/** {@link WideOp}s of 32-bit registers and of predicates. {@code IntOps} and {@code BitOps} say the same of one lane. */
final class WideInts {
    private WideInts() {}

    static void copy(Warp w, int mask, int d, int a, int b, int c) {
        for (int i = 0; i < LANES; i += STEP) {
            put(w, mask, d, i, ints(w, a, i));
        }
    }

    static void add(Warp w, int mask, int d, int a, int b, int c) {
        for (int i = 0; i < LANES; i += STEP) {
            put(w, mask, d, i, ints(w, a, i).add(ints(w, b, i)));
        }
    }

    static void sub(Warp w, int mask, int d, int a, int b, int c) {
        for (int i = 0; i < LANES; i += STEP) {
            put(w, mask, d, i, ints(w, a, i).sub(ints(w, b, i)));
        }
    }

    static void mul(Warp w, int mask, int d, int a, int b, int c) {
        for (int i = 0; i < LANES; i += STEP) {
            put(w, mask, d, i, ints(w, a, i).mul(ints(w, b, i)));
        }
    }

    static void mad(Warp w, int mask, int d, int a, int b, int c) {
        for (int i = 0; i < LANES; i += STEP) {
            put(w, mask, d, i, ints(w, a, i).mul(ints(w, b, i)).add(ints(w, c, i)));
        }
    }

    static void min(Warp w, int mask, int d, int a, int b, int c) {
        for (int i = 0; i < LANES; i += STEP) {
            put(w, mask, d, i, ints(w, a, i).min(ints(w, b, i)));
        }
    }

    static void max(Warp w, int mask, int d, int a, int b, int c) {
        for (int i = 0; i < LANES; i += STEP) {
            put(w, mask, d, i, ints(w, a, i).max(ints(w, b, i)));
        }
    }

    static void and(Warp w, int mask, int d, int a, int b, int c) {
        for (int i = 0; i < LANES; i += STEP) {
            put(w, mask, d, i, ints(w, a, i).and(ints(w, b, i)));
        }
    }

    static void or(Warp w, int mask, int d, int a, int b, int c) {
        for (int i = 0; i < LANES; i += STEP) {
            put(w, mask, d, i, ints(w, a, i).or(ints(w, b, i)));
        }
    }

    static void xor(Warp w, int mask, int d, int a, int b, int c) {
        for (int i = 0; i < LANES; i += STEP) {
            put(w, mask, d, i, ints(w, a, i).lanewise(VectorOperators.XOR, ints(w, b, i)));
        }
    }

    static void not(Warp w, int mask, int d, int a, int b, int c) {
        for (int i = 0; i < LANES; i += STEP) {
            put(w, mask, d, i, ints(w, a, i).not());
        }
    }

    /** {@code b} is the number of places, as for the other shifts. */
    static void shl(Warp w, int mask, int d, int a, int b, int c) {
        for (int i = 0; i < LANES; i += STEP) {
            put(w, mask, d, i, b >>> 5 != 0 ? IntVector.zero(Lanes.INTS)
                    : ints(w, a, i).lanewise(VectorOperators.LSHL, b));
        }
    }

    static void shrUnsigned(Warp w, int mask, int d, int a, int b, int c) {
        for (int i = 0; i < LANES; i += STEP) {
            put(w, mask, d, i, b >>> 5 != 0 ? IntVector.zero(Lanes.INTS)
                    : ints(w, a, i).lanewise(VectorOperators.LSHR, b));
        }
    }

    static void shr(Warp w, int mask, int d, int a, int b, int c) {
        int places = b >>> 5 != 0 ? 31 : b;
        for (int i = 0; i < LANES; i += STEP) {
            put(w, mask, d, i, ints(w, a, i).lanewise(VectorOperators.ASHR, places));
        }
    }

    /** {@code a} where predicate {@code c} holds, else {@code b}. */
    static void select(Warp w, int mask, int d, int a, int b, int c) {
        int chosen = w.p[c];
        for (int i = 0; i < LANES; i += STEP) {
            put(w, mask, d, i, ints(w, b, i).blend(ints(w, a, i), Lanes.chosen(chosen, i)));
        }
    }

    /** Two halves: {@code a} the lower one, {@code b} the upper one. */
    static void pack(Warp w, int mask, int d, int a, int b, int c) {
        for (int i = 0; i < LANES; i += STEP) {
            put(w, mask, d, i, ints(w, a, i).and(0xffff).or(ints(w, b, i).lanewise(VectorOperators.LSHL, 16)));
        }
    }

    static void lowHalf(Warp w, int mask, int d, int a, int b, int c) {
        for (int i = 0; i < LANES; i += STEP) {
            put(w, mask, d, i, ints(w, a, i).and(0xffff));
        }
    }

    /** The lower half of a 64-bit register. */
    static void low(Warp w, int mask, int d, int a, int b, int c) {
        int[] r = w.r;
        long[] q = w.q;
        for (int lane = 0; lane < LANES; lane++) {
            r[d + lane] = (mask >>> lane & 1) != 0 ? (int) q[a + lane] : r[d + lane];
        }
    }

    /** A parameter at offset {@code a} of {@code b} bytes, with sign where {@code c} is 1. */
    static void parameter(Warp w, int mask, int d, int a, int b, int c) {
        int value = Parameters.word(w, a, b, c != 0);
        if (mask == -1) {
            Arrays.fill(w.r, d, d + LANES, value);
            return;
        }
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            w.r[d + Integer.numberOfTrailingZeros(rest)] = value;
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
        compare(w, mask, d, a, b, VectorOperators.LT, Integer.MIN_VALUE);
    }

    static void belowOrEqual(Warp w, int mask, int d, int a, int b, int c) {
        compare(w, mask, d, a, b, VectorOperators.LE, Integer.MIN_VALUE);
    }

    static void above(Warp w, int mask, int d, int a, int b, int c) {
        compare(w, mask, d, b, a, VectorOperators.LT, Integer.MIN_VALUE);
    }

    static void aboveOrEqual(Warp w, int mask, int d, int a, int b, int c) {
        compare(w, mask, d, b, a, VectorOperators.LE, Integer.MIN_VALUE);
    }

    /** {@code flipped} are bits that change first: the highest one for numbers without sign. */
    private static void compare(Warp w, int mask, int d, int a, int b, Comparison how, int flipped) {
        int bits = 0;
        for (int i = 0; i < LANES; i += STEP) {
            IntVector x = ints(w, a, i).lanewise(VectorOperators.XOR, flipped);
            bits |= (int) x.compare(how, ints(w, b, i).lanewise(VectorOperators.XOR, flipped)).toLong() << i;
        }
        w.p[d] = w.p[d] & ~mask | bits & mask;
    }

    static void copyPredicate(Warp w, int mask, int d, int a, int b, int c) {
        w.p[d] = w.p[d] & ~mask | w.p[a] & mask;
    }

    static void andPredicate(Warp w, int mask, int d, int a, int b, int c) {
        w.p[d] = w.p[d] & ~mask | w.p[a] & w.p[b] & mask;
    }

    static void orPredicate(Warp w, int mask, int d, int a, int b, int c) {
        w.p[d] = w.p[d] & ~mask | (w.p[a] | w.p[b]) & mask;
    }

    static void xorPredicate(Warp w, int mask, int d, int a, int b, int c) {
        w.p[d] = w.p[d] & ~mask | (w.p[a] ^ w.p[b]) & mask;
    }

    static void notPredicate(Warp w, int mask, int d, int a, int b, int c) {
        w.p[d] = w.p[d] & ~mask | ~w.p[a] & mask;
    }
}
