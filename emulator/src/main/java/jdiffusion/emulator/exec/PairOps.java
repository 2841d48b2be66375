package jdiffusion.emulator.exec;

/** Arithmetic on two float32 in 64 bits, the first in the low half; without flushing of subnormal numbers. */
final class PairOps {
    private PairOps() {}

    private static float low(long pair) {
        return Float.intBitsToFloat((int) pair);
    }

    private static float high(long pair) {
        return Float.intBitsToFloat((int) (pair >>> 32));
    }

    private static long pack(float low, float high) {
        return Float.floatToRawIntBits(low) & 0xffffffffL | (long) Float.floatToRawIntBits(high) << 32;
    }

    @Ptx("add.f32x2")
    static long add(long a, long b) {
        return pack(low(a) + low(b), high(a) + high(b));
    }

    @Ptx("sub.f32x2")
    static long sub(long a, long b) {
        return pack(low(a) - low(b), high(a) - high(b));
    }

    @Ptx("mul.f32x2")
    static long mul(long a, long b) {
        return pack(low(a) * low(b), high(a) * high(b));
    }

    @Ptx("fma.f32x2")
    static long fma(long a, long b, long c) {
        return pack(Math.fma(low(a), low(b), low(c)), Math.fma(high(a), high(b), high(c)));
    }
}
