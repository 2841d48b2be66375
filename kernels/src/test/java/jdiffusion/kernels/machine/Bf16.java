package jdiffusion.kernels.machine;

/** bfloat16 as AVX512_BF16 and AMX-BF16 compute with it: subnormal numbers count as zero and come out as zero. */
final class Bf16 {
    private static final int EXPONENT = 0x7f800000;
    private static final int SIGN = 0x80000000;

    private Bf16() {
    }

    /** The lower half of a pair. */
    static float low(int pair) {
        return flushed(Float.intBitsToFloat(pair << 16));
    }

    static float high(int pair) {
        return flushed(Float.intBitsToFloat(pair & 0xffff0000));
    }

    static float flushed(float value) {
        int bits = Float.floatToRawIntBits(value);
        return (bits & EXPONENT) == 0 ? Float.intBitsToFloat(bits & SIGN) : value;
    }

    /** Rounded to nearest even; the upper half of a NaN, made quiet. */
    static int rounded(float value) {
        int bits = Float.floatToRawIntBits(flushed(value));
        if (Float.isNaN(value)) {
            return bits >>> 16 | 0x40;
        }
        return bits + 0x7fff + (bits >>> 16 & 1) >>> 16;
    }
}
