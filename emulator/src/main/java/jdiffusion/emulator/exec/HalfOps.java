package jdiffusion.emulator.exec;

/**
 * Arithmetic on float16 and bfloat16, single and in packed pairs (the first of a pair in the low half). Sums and
 * products are exact in float32 up to one rounding that is harmless; fma is rounded to odd in between.
 */
final class HalfOps {

    private HalfOps() {}

    static float f16(int bits) {
        return Float.float16ToFloat((short) bits);
    }

    static int toF16(float a) {
        return a != a ? 0x7fff : Float.floatToFloat16(a) & 0xffff;
    }

    static float bf16(int bits) {
        return Float.intBitsToFloat(bits << 16);
    }

    /** Rounded to nearest, ties to even; NaN becomes 0x7fff. */
    static int toBf16(float a) {
        int bits = Float.floatToRawIntBits(a);
        return a != a ? 0x7fff : bits + 0x7fff + (bits >>> 16 & 1) >>> 16;
    }

    private static int pack(int low, int high) {
        return low & 0xffff | high << 16;
    }

    /** float32 by rounding to odd, so that rounding on to 16 bits is right. */
    private static float odd(double a) {
        float f = Rounding.toFloat(a, 0, Rounding.RZ);
        return f == a || a != a || Float.isInfinite(f)
                ? f : Float.intBitsToFloat(Float.floatToRawIntBits(f) | 1);
    }

    @Ptx("add.f16")
    static int addF16(int a, int b) {
        return toF16(f16(a) + f16(b));
    }

    @Ptx("add.f16x2")
    static int addF16x2(int a, int b) {
        return pack(addF16(a, b), addF16(a >>> 16, b >>> 16));
    }

    @Ptx("sub.f16")
    static int subF16(int a, int b) {
        return toF16(f16(a) - f16(b));
    }

    @Ptx("sub.f16x2")
    static int subF16x2(int a, int b) {
        return pack(subF16(a, b), subF16(a >>> 16, b >>> 16));
    }

    @Ptx("mul.f16")
    static int mulF16(int a, int b) {
        return toF16(f16(a) * f16(b));
    }

    @Ptx("mul.f16x2")
    static int mulF16x2(int a, int b) {
        return pack(mulF16(a, b), mulF16(a >>> 16, b >>> 16));
    }

    @Ptx("fma.f16")
    static int fmaF16(int a, int b, int c) {
        return toF16(odd(Rounding.oddSum((double) f16(a) * f16(b), f16(c))));
    }

    @Ptx("fma.f16x2")
    static int fmaF16x2(int a, int b, int c) {
        return pack(fmaF16(a, b, c), fmaF16(a >>> 16, b >>> 16, c >>> 16));
    }

    /** Negative results become 0. */
    @Ptx("fma.relu.f16")
    static int fmaReluF16(int a, int b, int c) {
        return maxNanF16(fmaF16(a, b, c), 0);
    }

    @Ptx("fma.relu.f16x2")
    static int fmaReluF16x2(int a, int b, int c) {
        return maxNanF16x2(fmaF16x2(a, b, c), 0);
    }

    @Ptx("min.f16")
    static int minF16(int a, int b) {
        return toF16(FloatOps.min(f16(a), f16(b)));
    }

    @Ptx("min.f16x2")
    static int minF16x2(int a, int b) {
        return pack(minF16(a, b), minF16(a >>> 16, b >>> 16));
    }

    @Ptx("max.f16")
    static int maxF16(int a, int b) {
        return toF16(FloatOps.max(f16(a), f16(b)));
    }

    @Ptx("max.f16x2")
    static int maxF16x2(int a, int b) {
        return pack(maxF16(a, b), maxF16(a >>> 16, b >>> 16));
    }

    @Ptx("min.nan.f16")
    static int minNanF16(int a, int b) {
        return toF16(FloatOps.minNan(f16(a), f16(b)));
    }

    @Ptx("min.nan.f16x2")
    static int minNanF16x2(int a, int b) {
        return pack(minNanF16(a, b), minNanF16(a >>> 16, b >>> 16));
    }

    @Ptx("max.nan.f16")
    static int maxNanF16(int a, int b) {
        return toF16(FloatOps.maxNan(f16(a), f16(b)));
    }

    @Ptx("max.nan.f16x2")
    static int maxNanF16x2(int a, int b) {
        return pack(maxNanF16(a, b), maxNanF16(a >>> 16, b >>> 16));
    }

    @Ptx("abs.f16")
    static int absF16(int a) {
        return a & 0x7fff;
    }

    @Ptx("abs.f16x2")
    static int absF16x2(int a) {
        return pack(absF16(a), absF16(a >>> 16));
    }

    @Ptx("neg.f16")
    static int negF16(int a) {
        return a ^ 0x8000;
    }

    @Ptx("neg.f16x2")
    static int negF16x2(int a) {
        return pack(negF16(a), negF16(a >>> 16));
    }

    @Ptx("ex2.f16")
    static int ex2F16(int a) {
        return toF16(FloatOps.ex2(f16(a)));
    }

    @Ptx("ex2.f16x2")
    static int ex2F16x2(int a) {
        return pack(ex2F16(a), ex2F16(a >>> 16));
    }

    @Ptx("tanh.f16")
    static int tanhF16(int a) {
        return toF16(FloatOps.tanh(f16(a)));
    }

    @Ptx("tanh.f16x2")
    static int tanhF16x2(int a) {
        return pack(tanhF16(a), tanhF16(a >>> 16));
    }

    @Ptx("add.bf16")
    static int addBf16(int a, int b) {
        return toBf16(bf16(a) + bf16(b));
    }

    @Ptx("add.bf16x2")
    static int addBf16x2(int a, int b) {
        return pack(addBf16(a, b), addBf16(a >>> 16, b >>> 16));
    }

    @Ptx("sub.bf16")
    static int subBf16(int a, int b) {
        return toBf16(bf16(a) - bf16(b));
    }

    @Ptx("sub.bf16x2")
    static int subBf16x2(int a, int b) {
        return pack(subBf16(a, b), subBf16(a >>> 16, b >>> 16));
    }

    @Ptx("mul.bf16")
    static int mulBf16(int a, int b) {
        return toBf16(bf16(a) * bf16(b));
    }

    @Ptx("mul.bf16x2")
    static int mulBf16x2(int a, int b) {
        return pack(mulBf16(a, b), mulBf16(a >>> 16, b >>> 16));
    }

    @Ptx("fma.bf16")
    static int fmaBf16(int a, int b, int c) {
        return toBf16(odd(Rounding.oddSum((double) bf16(a) * bf16(b), bf16(c))));
    }

    @Ptx("fma.bf16x2")
    static int fmaBf16x2(int a, int b, int c) {
        return pack(fmaBf16(a, b, c), fmaBf16(a >>> 16, b >>> 16, c >>> 16));
    }

    @Ptx("fma.relu.bf16")
    static int fmaReluBf16(int a, int b, int c) {
        return maxNanBf16(fmaBf16(a, b, c), 0);
    }

    @Ptx("fma.relu.bf16x2")
    static int fmaReluBf16x2(int a, int b, int c) {
        return maxNanBf16x2(fmaBf16x2(a, b, c), 0);
    }

    @Ptx("min.bf16")
    static int minBf16(int a, int b) {
        return toBf16(FloatOps.min(bf16(a), bf16(b)));
    }

    @Ptx("min.bf16x2")
    static int minBf16x2(int a, int b) {
        return pack(minBf16(a, b), minBf16(a >>> 16, b >>> 16));
    }

    @Ptx("max.bf16")
    static int maxBf16(int a, int b) {
        return toBf16(FloatOps.max(bf16(a), bf16(b)));
    }

    @Ptx("max.bf16x2")
    static int maxBf16x2(int a, int b) {
        return pack(maxBf16(a, b), maxBf16(a >>> 16, b >>> 16));
    }

    @Ptx("min.nan.bf16")
    static int minNanBf16(int a, int b) {
        return toBf16(FloatOps.minNan(bf16(a), bf16(b)));
    }

    @Ptx("min.nan.bf16x2")
    static int minNanBf16x2(int a, int b) {
        return pack(minNanBf16(a, b), minNanBf16(a >>> 16, b >>> 16));
    }

    @Ptx("max.nan.bf16")
    static int maxNanBf16(int a, int b) {
        return toBf16(FloatOps.maxNan(bf16(a), bf16(b)));
    }

    @Ptx("max.nan.bf16x2")
    static int maxNanBf16x2(int a, int b) {
        return pack(maxNanBf16(a, b), maxNanBf16(a >>> 16, b >>> 16));
    }

    @Ptx("abs.bf16")
    static int absBf16(int a) {
        return a & 0x7fff;
    }

    @Ptx("abs.bf16x2")
    static int absBf16x2(int a) {
        return pack(absBf16(a), absBf16(a >>> 16));
    }

    @Ptx("neg.bf16")
    static int negBf16(int a) {
        return a ^ 0x8000;
    }

    @Ptx("neg.bf16x2")
    static int negBf16x2(int a) {
        return pack(negBf16(a), negBf16(a >>> 16));
    }

    @Ptx("ex2.bf16")
    static int ex2Bf16(int a) {
        return toBf16(FloatOps.ex2(bf16(a)));
    }

    @Ptx("ex2.bf16x2")
    static int ex2Bf16x2(int a) {
        return pack(ex2Bf16(a), ex2Bf16(a >>> 16));
    }

    @Ptx("tanh.bf16")
    static int tanhBf16(int a) {
        return toBf16(FloatOps.tanh(bf16(a)));
    }

    @Ptx("tanh.bf16x2")
    static int tanhBf16x2(int a) {
        return pack(tanhBf16(a), tanhBf16(a >>> 16));
    }
}
