package jdiffusion.emulator.exec;

import static jdiffusion.emulator.exec.Lanes.STEP;
import static jdiffusion.emulator.exec.Lanes.ints;
import static jdiffusion.emulator.exec.Lanes.put;
import static jdiffusion.emulator.exec.Layout.LANES;

import java.util.Arrays;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/** {@link WideOp}s of 32-bit registers and of predicates. {@link IntOps} and {@link BitOps} say the same of a lane. */
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
        isLess(w, mask, d, a, b, Integer.MIN_VALUE, 0);
    }

    static void aboveOrEqual(Warp w, int mask, int d, int a, int b, int c) {
        isLess(w, mask, d, a, b, Integer.MIN_VALUE, -1);
    }

    static void above(Warp w, int mask, int d, int a, int b, int c) {
        isLess(w, mask, d, b, a, Integer.MIN_VALUE, 0);
    }

    static void belowOrEqual(Warp w, int mask, int d, int a, int b, int c) {
        isLess(w, mask, d, b, a, Integer.MIN_VALUE, -1);
    }

    // Each loop has one comparison: where the JIT does not know which, vectors become objects.

    /** Bits of {@code changed} become the opposite. */
    private static void isEqual(Warp w, int mask, int d, int a, int b, int changed) {
        int bits = 0;
        for (int i = 0; i < LANES; i += STEP) {
            bits |= (int) ints(w, a, i).compare(VectorOperators.EQ, ints(w, b, i)).toLong() << i;
        }
        w.p[d] = w.p[d] & ~mask | (bits ^ changed) & mask;
    }

    /** {@code flipped} are bits of the numbers that change first: the highest one where they have no sign. */
    private static void isLess(Warp w, int mask, int d, int a, int b, int flipped, int changed) {
        int bits = 0;
        for (int i = 0; i < LANES; i += STEP) {
            IntVector x = ints(w, a, i).lanewise(VectorOperators.XOR, flipped);
            IntVector y = ints(w, b, i).lanewise(VectorOperators.XOR, flipped);
            bits |= (int) x.compare(VectorOperators.LT, y).toLong() << i;
        }
        w.p[d] = w.p[d] & ~mask | (bits ^ changed) & mask;
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
