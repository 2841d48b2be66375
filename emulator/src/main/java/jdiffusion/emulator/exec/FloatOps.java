package jdiffusion.emulator.exec;

/**
 * Arithmetic on float32. Approximations ({@code .approx}, {@code .full}) are computed more exactly than on a device.
 * The modifiers ftz and sat are applied around these methods by {@link #flush} and {@link #saturate}.
 */
final class FloatOps {
    private static final float CANONICAL_NAN = Float.intBitsToFloat(0x7fffffff);
    /** Coefficients of 2^f, ln(2)^n / n!, highest power first; relative error below 1e-11 for |f| up to a half. */
    private static final double[] EXP2 = new double[11];

    static {
        double term = 1;
        for (int n = 0; n < EXP2.length; n++) {
            EXP2[EXP2.length - 1 - n] = term;
            term *= Math.log(2) / (n + 1);
        }
    }

    private FloatOps() {}

    /** Subnormal numbers become zeros of their sign. */
    static float flush(float a) {
        return Math.abs(a) < Float.MIN_NORMAL ? a * 0f : a;
    }

    /** Clamped to [0, 1], NaN becoming +0. */
    static float saturate(float a) {
        return a > 0 ? Math.min(a, 1f) : 0f;
    }

    @Ptx("add.f32")
    static float add(float a, float b) {
        return a + b;
    }

    @Ptx("sub.f32")
    static float sub(float a, float b) {
        return a - b;
    }

    @Ptx("mul.f32")
    static float mul(float a, float b) {
        return a * b;
    }

    @Ptx({"fma.f32", "mad.f32"})
    static float fma(float a, float b, float c) {
        return Math.fma(a, b, c);
    }

    @Ptx("add.rz.f32")
    static float addToZero(float a, float b) {
        return Rounding.sum(a, b, Rounding.RZ);
    }

    @Ptx("add.rm.f32")
    static float addDown(float a, float b) {
        return Rounding.sum(a, b, Rounding.RM);
    }

    @Ptx("add.rp.f32")
    static float addUp(float a, float b) {
        return Rounding.sum(a, b, Rounding.RP);
    }

    @Ptx("sub.rz.f32")
    static float subToZero(float a, float b) {
        return Rounding.sum(a, -b, Rounding.RZ);
    }

    @Ptx("sub.rm.f32")
    static float subDown(float a, float b) {
        return Rounding.sum(a, -b, Rounding.RM);
    }

    @Ptx("sub.rp.f32")
    static float subUp(float a, float b) {
        return Rounding.sum(a, -b, Rounding.RP);
    }

    @Ptx("mul.rz.f32")
    static float mulToZero(float a, float b) {
        return Rounding.toFloat((double) a * b, 0, Rounding.RZ);
    }

    @Ptx("mul.rm.f32")
    static float mulDown(float a, float b) {
        return Rounding.toFloat((double) a * b, 0, Rounding.RM);
    }

    @Ptx("mul.rp.f32")
    static float mulUp(float a, float b) {
        return Rounding.toFloat((double) a * b, 0, Rounding.RP);
    }

    @Ptx("fma.rz.f32")
    static float fmaToZero(float a, float b, float c) {
        return Rounding.sum((double) a * b, c, Rounding.RZ);
    }

    @Ptx("fma.rm.f32")
    static float fmaDown(float a, float b, float c) {
        return Rounding.sum((double) a * b, c, Rounding.RM);
    }

    @Ptx("fma.rp.f32")
    static float fmaUp(float a, float b, float c) {
        return Rounding.sum((double) a * b, c, Rounding.RP);
    }

    @Ptx("div.f32")
    static float div(float a, float b) {
        return a / b;
    }

    @Ptx("rcp.f32")
    static float rcp(float a) {
        return 1 / a;
    }

    @Ptx("sqrt.f32")
    static float sqrt(float a) {
        return (float) Math.sqrt(a);
    }

    // A quotient or a root of two floats is a float, or further from one than a double's last place.

    @Ptx("div.rz.f32")
    static float divZero(float a, float b) {
        return Rounding.toFloat((double) a / b, Rounding.RZ);
    }

    @Ptx("div.rm.f32")
    static float divDown(float a, float b) {
        return Rounding.toFloat((double) a / b, Rounding.RM);
    }

    @Ptx("div.rp.f32")
    static float divUp(float a, float b) {
        return Rounding.toFloat((double) a / b, Rounding.RP);
    }

    @Ptx("rcp.rz.f32")
    static float rcpZero(float a) {
        return Rounding.toFloat(1 / (double) a, Rounding.RZ);
    }

    @Ptx("rcp.rm.f32")
    static float rcpDown(float a) {
        return Rounding.toFloat(1 / (double) a, Rounding.RM);
    }

    @Ptx("rcp.rp.f32")
    static float rcpUp(float a) {
        return Rounding.toFloat(1 / (double) a, Rounding.RP);
    }

    @Ptx("sqrt.rz.f32")
    static float sqrtZero(float a) {
        return Rounding.toFloat(Math.sqrt(a), Rounding.RZ);
    }

    @Ptx("sqrt.rm.f32")
    static float sqrtDown(float a) {
        return Rounding.toFloat(Math.sqrt(a), Rounding.RM);
    }

    @Ptx("sqrt.rp.f32")
    static float sqrtUp(float a) {
        return Rounding.toFloat(Math.sqrt(a), Rounding.RP);
    }

    @Ptx("rsqrt.f32")
    static float rsqrt(float a) {
        return (float) (1 / Math.sqrt((double) a));
    }

    /** The smaller one; a number wins over NaN, and -0 is below +0. */
    @Ptx("min.f32")
    static float min(float a, float b) {
        return a != a ? canonical(b) : b != b ? a : Math.min(a, b);
    }

    @Ptx("max.f32")
    static float max(float a, float b) {
        return a != a ? canonical(b) : b != b ? a : Math.max(a, b);
    }

    /** The smaller one, or NaN when either is NaN. */
    @Ptx("min.nan.f32")
    static float minNan(float a, float b) {
        return canonical(Math.min(a, b));
    }

    @Ptx("max.nan.f32")
    static float maxNan(float a, float b) {
        return canonical(Math.max(a, b));
    }

    static float canonical(float a) {
        return a != a ? CANONICAL_NAN : a;
    }

    /** The smaller magnitude, negative where one of both is. */
    @Ptx("min.xorsign.abs.f32")
    static float minMagnitude(float a, float b) {
        return signed(min(Math.abs(a), Math.abs(b)), a, b);
    }

    @Ptx("max.xorsign.abs.f32")
    static float maxMagnitude(float a, float b) {
        return signed(max(Math.abs(a), Math.abs(b)), a, b);
    }

    private static float signed(float magnitude, float a, float b) {
        int sign = (Float.floatToRawIntBits(a) ^ Float.floatToRawIntBits(b)) & 1 << 31;
        return Float.intBitsToFloat(Float.floatToRawIntBits(magnitude) | sign);
    }

    @Ptx("abs.f32")
    static float abs(float a) {
        return Math.abs(a);
    }

    @Ptx("neg.f32")
    static float neg(float a) {
        return -a;
    }

    /** The magnitude of b with the sign of a. */
    @Ptx("copysign.f32")
    static float copysign(float a, float b) {
        return Float.intBitsToFloat(
                Float.floatToRawIntBits(a) & 0x80000000 | Float.floatToRawIntBits(b) & 0x7fffffff);
    }

    @Ptx("ex2.f32")
    static float ex2(float a) {
        if (!(a > -160 && a < 129)) {
            return a > 0 ? Float.POSITIVE_INFINITY : a < 0 ? 0 : CANONICAL_NAN;
        }
        int whole = (int) Math.floor(a + 0.5);
        double f = a - (double) whole;
        double sum = EXP2[0];
        for (int n = 1; n < EXP2.length; n++) {
            sum = sum * f + EXP2[n];
        }
        return (float) (sum * Double.longBitsToDouble((whole + 1023L) << 52));
    }

    @Ptx("lg2.f32")
    static float lg2(float a) {
        return (float) (Math.log(a) / Math.log(2));
    }

    @Ptx("sin.f32")
    static float sin(float a) {
        return (float) Math.sin(a);
    }

    @Ptx("cos.f32")
    static float cos(float a) {
        return (float) Math.cos(a);
    }

    @Ptx("tanh.f32")
    static float tanh(float a) {
        return (float) Math.tanh(a);
    }

    @Ptx(value = "testp.normal.f32", result = "pred")
    static int isNormal(float a) {
        return isSubnormal(a) == 0 && Float.isFinite(a) && a != 0 ? 1 : 0;
    }

    @Ptx(value = "testp.subnormal.f32", result = "pred")
    static int isSubnormal(float a) {
        return a != 0 && Math.abs(a) < Float.MIN_NORMAL ? 1 : 0;
    }

    @Ptx(value = "testp.number.f32", result = "pred")
    static int isNumber(float a) {
        return a == a ? 1 : 0;
    }

    @Ptx(value = "testp.finite.f32", result = "pred")
    static int finite(float a) {
        return Float.isFinite(a) ? 1 : 0;
    }

    @Ptx(value = "testp.infinite.f32", result = "pred")
    static int infinite(float a) {
        return Float.isInfinite(a) ? 1 : 0;
    }

    @Ptx(value = "testp.notanumber.f32", result = "pred")
    static int notANumber(float a) {
        return Float.isNaN(a) ? 1 : 0;
    }
}
