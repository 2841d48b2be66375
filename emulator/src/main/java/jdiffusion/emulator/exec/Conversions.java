package jdiffusion.emulator.exec;

/** Conversions between types, each rounded once. Modes are those of {@link Rounding}. */
final class Conversions {

    private Conversions() {}

    static long widenUnsigned(int a) {
        return a & 0xffffffffL;
    }

    /** A signed number clamped to what {@code bits} bits hold. */
    static long clampSigned(long a, int bits) {
        long limit = 1L << bits - 1;
        return Math.clamp(a, -limit, limit - 1);
    }

    /** A signed number clamped to what {@code bits} bits hold without sign. */
    static long clampUnsigned(long a, int bits) {
        return bits == 64 ? Math.max(a, 0) : Math.clamp(a, 0, (1L << bits) - 1);
    }

    /** An unsigned 64-bit number clamped to what {@code bits} bits hold with sign. */
    static long clampUnsignedToSigned(long a, int bits) {
        long limit = (1L << bits - 1) - 1;
        return a < 0 || a > limit ? limit : a;
    }

    /** An unsigned 64-bit number clamped to what {@code bits} bits hold. */
    static long clampUnsignedToUnsigned(long a, int bits) {
        return bits < 64 && Long.compareUnsigned(a, (1L << bits) - 1) > 0 ? (1L << bits) - 1 : a;
    }

    /** A float rounded and clamped to a signed integer of {@code bits} bits; NaN becomes 0. */
    static long toSigned(double a, int bits, int mode) {
        return clampSigned((long) Rounding.whole(a, mode), bits);
    }

    /** A float rounded and clamped to an unsigned integer of {@code bits} bits; NaN becomes 0. */
    static long toUnsigned(double a, int bits, int mode) {
        double whole = Rounding.whole(a, mode);
        if (!(whole > 0)) {
            return 0;
        }
        if (bits < 64) {
            return Math.min((long) whole, (1L << bits) - 1);
        }
        return whole >= 0x1p64 ? -1 : whole >= 0x1p63 ? (long) (whole - 0x1p63) + Long.MIN_VALUE : (long) whole;
    }

    static float toFloat(double a, int mode) {
        return FloatOps.canonical(Rounding.toFloat(a, 0, mode));
    }

    static float wholeFloat(float a, int mode) {
        return (float) Rounding.whole(a, mode);
    }

    /** A double rounded to float16 bits. */
    static int toF16(double a, int mode) {
        return half(a, mode, 10, -14, 0x7bff, 0x7c00);
    }

    /** A double rounded to bfloat16 bits. */
    static int toBf16(double a, int mode) {
        return half(a, mode, 7, -126, 0x7f7f, 0x7f80);
    }

    /**
     * Rounds to a format of 16 or fewer bits, its sign the highest of 16, with {@code digits} stored mantissa bits and
     * smallest normal exponent {@code least}; {@code largest} and {@code infinity} are bit patterns.
     */
    static int half(double a, int mode, int digits, int least, int largest, int infinity) {
        if (a != a) {
            return 0x7fff;
        }
        int sign = Double.doubleToRawLongBits(a) < 0 ? 0x8000 : 0;
        if (Double.isInfinite(a)) {
            return sign | infinity;
        }
        double magnitude = Math.abs(a);
        int exponent = Math.max(Math.getExponent(magnitude), least);
        double units = Math.scalb(magnitude, digits - exponent);
        int towards = sign == 0 ? mode : mode == Rounding.RM ? Rounding.RP : mode == Rounding.RP ? Rounding.RM : mode;
        double rounded = Rounding.whole(units, towards);
        // The units carry over into the exponent by themselves: 2^digits units are one step of it.
        long bits = (long) rounded + ((long) (exponent - least) << digits);
        if (bits > largest) {
            boolean away = towards == Rounding.RP || towards == Rounding.RN;
            bits = away ? infinity : largest;
        }
        return sign | (int) bits;
    }

    /** Two floats as float16 in one word, {@code low} in the low half. */
    static int packF16(float high, float low, int mode) {
        return f16(low, mode) | f16(high, mode) << 16;
    }

    /** Two floats as bfloat16 in one word, {@code low} in the low half. */
    static int packBf16(float high, float low, int mode) {
        return bf16(low, mode) | bf16(high, mode) << 16;
    }

    static int f16(float a, int mode) {
        return mode == Rounding.RN ? HalfOps.toF16(a) : toF16(a, mode);
    }

    static int bf16(float a, int mode) {
        return mode == Rounding.RN ? HalfOps.toBf16(a) : toBf16(a, mode);
    }

    /** Negative numbers become +0. */
    static float relu(float a) {
        return a > 0 || a != a ? a : 0f;
    }

    /** The bits of a float32 rounded to the 10 bits behind the point that tf32 has; ties go away from zero. */
    static int tf32(float value) {
        int bits = Float.floatToRawIntBits(value);
        return Float.isNaN(value) ? bits : bits + (1 << 12) & -1 << 13;
    }

    /** Two integers in {@code bits} each, clamped, {@code a} above {@code b}, and the low bits of {@code c} above. */
    static int packIntegers(int a, int b, int c, int bits, int signed) {
        int least = signed != 0 ? -1 << bits - 1 : 0;
        int most = least + (1 << bits) - 1;
        int ones = (1 << bits) - 1;
        int pair = (Math.clamp(a, least, most) & ones) << bits | Math.clamp(b, least, most) & ones;
        return bits == 16 ? pair : c << 16 | pair;
    }
}
