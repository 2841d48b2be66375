package jdiffusion.emulator.exec;

import java.util.function.IntBinaryOperator;

/** What works on several integers in a word, and on rarer pieces of words: CUDA's SIMD and DPX functions use it. */
final class PackedOps {

    private PackedOps() {}

    /** Applies an operation to each pair of fields of {@code bits}, extended by sign or not. */
    private static int each(int a, int b, int bits, boolean signed, IntBinaryOperator operation) {
        int unused = 32 - bits;
        int result = 0;
        for (int at = 0; at < 32; at += bits) {
            int x = a << unused - at;
            int y = b << unused - at;
            int value = signed ? operation.applyAsInt(x >> unused, y >> unused)
                    : operation.applyAsInt(x >>> unused, y >>> unused);
            result |= (value << unused >>> unused) << at;
        }
        return result;
    }

    /** The fields of a word, not negative, and {@code c} together. */
    private static int sum(int a, int bits, int c) {
        int sum = c;
        for (int at = 0; at < 32; at += bits) {
            sum += a << 32 - bits - at >>> 32 - bits;
        }
        return sum;
    }

    private static int difference(int a, int b) {
        return Math.abs(a - b);
    }

    /** Without a mask of fields nothing of {@code c} stays. */
    @Ptx(value = "vabsdiff4.u32.u32.u32", operands = "b32 b32 b32")
    static int difference4(int a, int b, int c) {
        return each(a, b, 8, false, PackedOps::difference);
    }

    @Ptx(value = "vabsdiff4.u32.s32.s32", operands = "b32 b32 b32", result = "u32")
    static int differenceSigned4(int a, int b, int c) {
        return each(a, b, 8, true, PackedOps::difference);
    }

    @Ptx(value = "vabsdiff2.u32.u32.u32", operands = "b32 b32 b32")
    static int difference2(int a, int b, int c) {
        return each(a, b, 16, false, PackedOps::difference);
    }

    @Ptx(value = "vabsdiff2.u32.s32.s32", operands = "b32 b32 b32", result = "u32")
    static int differenceSigned2(int a, int b, int c) {
        return each(a, b, 16, true, PackedOps::difference);
    }

    @Ptx(value = "vabsdiff4.u32.u32.u32.add", operands = "b32 b32 b32", result = "u32")
    static int differenceSum4(int a, int b, int c) {
        return sum(difference4(a, b, 0), 8, c);
    }

    @Ptx(value = "vabsdiff4.u32.s32.s32.add", operands = "b32 b32 b32", result = "u32")
    static int differenceSumSigned4(int a, int b, int c) {
        return sum(differenceSigned4(a, b, 0), 8, c);
    }

    @Ptx(value = "vabsdiff2.u32.u32.u32.add", operands = "b32 b32 b32", result = "u32")
    static int differenceSum2(int a, int b, int c) {
        return sum(difference2(a, b, 0), 16, c);
    }

    @Ptx(value = "vabsdiff2.u32.s32.s32.add", operands = "b32 b32 b32", result = "u32")
    static int differenceSumSigned2(int a, int b, int c) {
        return sum(differenceSigned2(a, b, 0), 16, c);
    }

    @Ptx(value = {"add.u16x2", "add.s16x2"}, operands = "b32 b32", result = "b32")
    static int add16x2(int a, int b) {
        return each(a, b, 16, true, Integer::sum);
    }

    @Ptx(value = "min.s16x2", operands = "b32 b32", result = "b32")
    static int min16x2(int a, int b) {
        return each(a, b, 16, true, Math::min);
    }

    @Ptx(value = "max.s16x2", operands = "b32 b32", result = "b32")
    static int max16x2(int a, int b) {
        return each(a, b, 16, true, Math::max);
    }

    @Ptx(value = "min.u16x2", operands = "b32 b32", result = "b32")
    static int minUnsigned16x2(int a, int b) {
        return each(a, b, 16, false, Math::min);
    }

    @Ptx(value = "max.u16x2", operands = "b32 b32", result = "b32")
    static int maxUnsigned16x2(int a, int b) {
        return each(a, b, 16, false, Math::max);
    }

    @Ptx(value = {"min.relu.s16x2", "min.s16x2.relu"}, operands = "b32 b32", result = "b32")
    static int minRelu16x2(int a, int b) {
        return max16x2(min16x2(a, b), 0);
    }

    @Ptx(value = {"max.relu.s16x2", "max.s16x2.relu"}, operands = "b32 b32", result = "b32")
    static int maxRelu16x2(int a, int b) {
        return max16x2(max16x2(a, b), 0);
    }

    @Ptx(value = {"min.relu.s32", "min.s32.relu"}, operands = "s32 s32", result = "s32")
    static int minRelu(int a, int b) {
        return Math.max(Math.min(a, b), 0);
    }

    @Ptx(value = {"max.relu.s32", "max.s32.relu"}, operands = "s32 s32", result = "s32")
    static int maxRelu(int a, int b) {
        return Math.max(Math.max(a, b), 0);
    }

    /** Products of two 16-bit fields with two of the four bytes, from byte {@code first} on, and a sum. */
    private static int dot2(int a, int b, int first, boolean signedA, boolean signedB, int c) {
        int sum = c;
        for (int i = 0; i < 2; i++) {
            int x = signedA ? a << 16 - 16 * i >> 16 : a << 16 - 16 * i >>> 16;
            int y = b >>> 8 * (first + i) & 0xff;
            sum += x * (signedB ? (byte) y : y);
        }
        return sum;
    }

    @Ptx(value = "dp2a.lo.u32.u32", operands = "u32 u32 u32")
    static int dot2Low(int a, int b, int c) {
        return dot2(a, b, 0, false, false, c);
    }

    @Ptx(value = "dp2a.hi.u32.u32", operands = "u32 u32 u32")
    static int dot2High(int a, int b, int c) {
        return dot2(a, b, 2, false, false, c);
    }

    @Ptx(value = "dp2a.lo.s32.s32", operands = "s32 s32 s32")
    static int dot2LowSigned(int a, int b, int c) {
        return dot2(a, b, 0, true, true, c);
    }

    @Ptx(value = "dp2a.hi.s32.s32", operands = "s32 s32 s32")
    static int dot2HighSigned(int a, int b, int c) {
        return dot2(a, b, 2, true, true, c);
    }

    /**
     * Where, from bit {@code base} on, the {@code offset}-th set bit is: below 0 backwards, 0 that bit itself; or -1.
     */
    @Ptx(value = "fns.b32", operands = "b32 u32 s32")
    static int findSet(int a, int base, int offset) {
        int left = offset == 0 ? 1 : Math.abs(offset);
        int step = offset < 0 ? -1 : 1;
        for (int at = base; at >= 0 && at < 32 && (offset != 0 || at == base); at += step) {
            left -= a >>> at & 1;
            if (left == 0) {
                return at;
            }
        }
        return -1;
    }

    /** The lowest {@code b} bits, extended by sign; all bits where there are more. */
    @Ptx(value = {"szext.clamp.s32"}, operands = "s32 u32")
    static int extendClamped(int a, int b) {
        return b < 0 || b > 31 ? a : extend(a, b);
    }

    @Ptx(value = {"szext.wrap.s32"}, operands = "s32 u32")
    static int extend(int a, int b) {
        int bits = b & 31;
        return bits == 0 ? 0 : a << 32 - bits >> 32 - bits;
    }

    @Ptx(value = {"szext.clamp.u32"}, operands = "u32 u32")
    static int extendUnsignedClamped(int a, int b) {
        return b < 0 || b > 31 ? a : extendUnsigned(a, b);
    }

    @Ptx(value = {"szext.wrap.u32"}, operands = "u32 u32")
    static int extendUnsigned(int a, int b) {
        int bits = b & 31;
        return bits == 0 ? 0 : a << 32 - bits >>> 32 - bits;
    }

    /** Ones at {@code b} bits from bit {@code a} on. */
    @Ptx(value = "bmsk.clamp.b32", operands = "b32 b32")
    static int ones(int a, int b) {
        return a < 0 || a > 31 ? 0 : -1 << a & (b < 0 || b > 31 || a + b > 31 ? -1 : (1 << a + b) - 1);
    }

    @Ptx(value = "bmsk.wrap.b32", operands = "b32 b32")
    static int onesWrapped(int a, int b) {
        return ones(a & 31, b & 31);
    }

    @Ptx(value = "prmt.b32.ecl", operands = "b32 b32 b32", result = "b32")
    static int clampedLeft(int a, int b, int selector) {
        int n = selector & 3;
        return BitOps.prmt(a, b, n | Math.max(n, 1) << 4 | Math.max(n, 2) << 8 | 3 << 12);
    }

    @Ptx(value = "prmt.b32.ecr", operands = "b32 b32 b32", result = "b32")
    static int clampedRight(int a, int b, int selector) {
        int n = selector & 3;
        return BitOps.prmt(a, b, Math.min(n, 1) << 4 | Math.min(n, 2) << 8 | n << 12);
    }
}
