package jdiffusion.emulator.exec;

import static jdiffusion.emulator.exec.Lanes.STEP;
import static jdiffusion.emulator.exec.Lanes.floats;
import static jdiffusion.emulator.exec.Lanes.ints;
import static jdiffusion.emulator.exec.Lanes.put;
import static jdiffusion.emulator.exec.Layout.LANES;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/** {@link WideOp}s of float32. {@link FloatOps} says the same of one lane. */
final class WideFloats {
    private static final int CANONICAL_NAN = 0x7fffffff;

    private WideFloats() {}

    static void add(Warp w, int mask, int d, int a, int b, int c) {
        for (int i = 0; i < LANES; i += STEP) {
            put(w, mask, d, i, floats(w, a, i).add(floats(w, b, i)));
        }
    }

    static void sub(Warp w, int mask, int d, int a, int b, int c) {
        for (int i = 0; i < LANES; i += STEP) {
            put(w, mask, d, i, floats(w, a, i).sub(floats(w, b, i)));
        }
    }

    static void mul(Warp w, int mask, int d, int a, int b, int c) {
        for (int i = 0; i < LANES; i += STEP) {
            put(w, mask, d, i, floats(w, a, i).mul(floats(w, b, i)));
        }
    }

    static void div(Warp w, int mask, int d, int a, int b, int c) {
        for (int i = 0; i < LANES; i += STEP) {
            put(w, mask, d, i, floats(w, a, i).div(floats(w, b, i)));
        }
    }

    static void fma(Warp w, int mask, int d, int a, int b, int c) {
        for (int i = 0; i < LANES; i += STEP) {
            put(w, mask, d, i, floats(w, a, i).fma(floats(w, b, i), floats(w, c, i)));
        }
    }

    static void neg(Warp w, int mask, int d, int a, int b, int c) {
        for (int i = 0; i < LANES; i += STEP) {
            put(w, mask, d, i, ints(w, a, i).lanewise(VectorOperators.XOR, Integer.MIN_VALUE));
        }
    }

    static void abs(Warp w, int mask, int d, int a, int b, int c) {
        for (int i = 0; i < LANES; i += STEP) {
            put(w, mask, d, i, ints(w, a, i).and(Integer.MAX_VALUE));
        }
    }

    static void max(Warp w, int mask, int d, int a, int b, int c) {
        for (int i = 0; i < LANES; i += STEP) {
            FloatVector x = floats(w, a, i);
            FloatVector y = floats(w, b, i);
            put(w, mask, d, i, numbers(x, y, x.max(y)));
        }
    }

    static void min(Warp w, int mask, int d, int a, int b, int c) {
        for (int i = 0; i < LANES; i += STEP) {
            FloatVector x = floats(w, a, i);
            FloatVector y = floats(w, b, i);
            put(w, mask, d, i, numbers(x, y, x.min(y)));
        }
    }

    /** What was chosen of two; a number wins over NaN. */
    private static IntVector numbers(FloatVector x, FloatVector y, FloatVector chosen) {
        VectorMask<Integer> xNan = isNan(x.reinterpretAsInts());
        VectorMask<Integer> yNan = isNan(y.reinterpretAsInts());
        IntVector other = y.reinterpretAsInts().blend(CANONICAL_NAN, yNan);
        return chosen.reinterpretAsInts().blend(x.reinterpretAsInts(), yNan).blend(other, xNan);
    }

    private static VectorMask<Integer> isNan(IntVector bits) {
        return bits.and(Integer.MAX_VALUE).compare(VectorOperators.GT, 0x7f800000);
    }

    static void ex2(Warp w, int mask, int d, int a, int b, int c) {
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            w.r[d + lane] = Float.floatToRawIntBits(FloatOps.ex2(Float.intBitsToFloat(w.r[a + lane])));
        }
    }

    /** With subnormal numbers taken for zeros, before and after. */
    static void ex2Flushed(Warp w, int mask, int d, int a, int b, int c) {
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            float power = FloatOps.ex2(FloatOps.flush(Float.intBitsToFloat(w.r[a + lane])));
            w.r[d + lane] = Float.floatToRawIntBits(FloatOps.flush(power));
        }
    }

    static void rcpFlushed(Warp w, int mask, int d, int a, int b, int c) {
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            float reciprocal = FloatOps.rcp(FloatOps.flush(Float.intBitsToFloat(w.r[a + lane])));
            w.r[d + lane] = Float.floatToRawIntBits(FloatOps.flush(reciprocal));
        }
    }

    /** Two floats as bfloat16 in one word: {@code a} in the upper half. */
    static void packBf16(Warp w, int mask, int d, int a, int b, int c) {
        for (int i = 0; i < LANES; i += STEP) {
            put(w, mask, d, i, bf16(ints(w, b, i)).or(bf16(ints(w, a, i)).lanewise(VectorOperators.LSHL, 16)));
        }
    }

    /** The nearest bfloat16, ties to even; NaN becomes 0x7fff. */
    private static IntVector bf16(IntVector bits) {
        IntVector odd = bits.lanewise(VectorOperators.LSHR, 16).and(1);
        return bits.add(0x7fff).add(odd).lanewise(VectorOperators.LSHR, 16).blend(0x7fff, isNan(bits));
    }
}
