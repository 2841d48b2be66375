package jdiffusion.emulator;

import java.math.BigDecimal;
import org.junit.jupiter.api.Test;

class FloatInstructionTest {
    private static final float[] FLOATS = {0f, -0f, 1f, -1f, 1.5f, 3f, -2.75f, 0x1p-149f, -0x1.8p-127f,
        Float.MIN_NORMAL, Float.MAX_VALUE, -Float.MAX_VALUE, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY,
        Float.NaN, 1e-20f, 0x1.000002p0f, 0x1.fffffep-1f, 16777217f, 0.1f};
    private static final double[] DOUBLES = {0, -0.0, 1, -1, 1.5, 0.1, -3e300, 4e-310, Double.MAX_VALUE,
        Double.POSITIVE_INFINITY, Double.NaN, 1e-8};

    private static InstructionCases floats() {
        long[] values = new long[FLOATS.length];
        for (int i = 0; i < values.length; i++) {
            values[i] = Float.floatToRawIntBits(FLOATS[i]) & 0xffffffffL;
        }
        return new InstructionCases(values);
    }

    private static float flush(float a) {
        return Math.abs(a) < Float.MIN_NORMAL ? Math.copySign(0f, a) : a;
    }

    private static float flushAll(float sum) {
        return flush(sum);
    }

    @Test
    void arithmetic() {
        floats().floats("add.f32 %f0, %f1, %f2", (a, b, c) -> a + b)
                .floats("sub.rn.f32 %f0, %f1, %f2", (a, b, c) -> a - b)
                .floats("mul.f32 %f0, %f1, %f2", (a, b, c) -> a * b)
                .floats("mul.f32 %f0, %f1, 0f40000000", (a, b, c) -> a * 2)
                .floats("fma.rn.f32 %f0, %f1, %f2, %f3", Math::fma)
                .floats("mad.rn.f32 %f0, %f1, %f2, %f3", Math::fma)
                .floats("div.rn.f32 %f0, %f1, %f2", (a, b, c) -> a / b)
                .floats("div.approx.f32 %f0, %f1, %f2", (a, b, c) -> a / b)
                .floats("rcp.rn.f32 %f0, %f1", (a, b, c) -> 1 / a)
                .floats("sqrt.rn.f32 %f0, %f1", (a, b, c) -> (float) Math.sqrt(a))
                .floats("rsqrt.approx.f32 %f0, %f1", (a, b, c) -> (float) (1 / Math.sqrt(a)))
                .floats("abs.f32 %f0, %f1", (a, b, c) -> Math.abs(a))
                .floats("neg.f32 %f0, %f1", (a, b, c) -> -a)
                .floats("copysign.f32 %f0, %f1, %f2", (a, b, c) -> Math.copySign(b, a))
                .floats("add.ftz.f32 %f0, %f1, %f2", (a, b, c) -> flushAll(flush(a) + flush(b)))
                .floats("mul.sat.f32 %f0, %f1, %f2", (a, b, c) -> a * b > 0 ? Math.min(a * b, 1) : 0f)
                .check();
    }

    @Test
    void minimumAndMaximumPreferNumbers() {
        floats().floats("min.f32 %f0, %f1, %f2",
                        (a, b, c) -> a != a ? b : b != b ? a : Math.min(a, b))
                .floats("max.f32 %f0, %f1, %f2", (a, b, c) -> a != a ? b : b != b ? a : Math.max(a, b))
                .floats("max.NaN.f32 %f0, %f1, %f2", (a, b, c) -> Math.max(a, b))
                .check();
    }

    @Test
    void directedRounding() {
        floats().floats("add.rm.f32 %f0, %f1, %f2", (a, b, c) -> directed(a, 1, b, -1))
                .floats("add.rp.f32 %f0, %f1, %f2", (a, b, c) -> directed(a, 1, b, 1))
                .floats("add.rz.f32 %f0, %f1, %f2", (a, b, c) -> directed(a, 1, b, 0))
                .floats("mul.rz.f32 %f0, %f1, %f2", (a, b, c) -> finite(a, b) ? directed(a, b, -0f, 0) : a * b)
                .floats("fma.rm.f32 %f0, %f1, %f2, %f3", (a, b, c) -> directed(a, b, c, -1))
                .floats("fma.rp.f32 %f0, %f1, %f2, %f3", (a, b, c) -> directed(a, b, c, 1))
                .check();
    }

    private static boolean finite(float a, float b) {
        return Float.isFinite(a) && Float.isFinite(b);
    }

    /** a b + c rounded down (-1), up (1) or to zero (0), by exact decimal arithmetic. */
    private static float directed(float a, float b, float c, int direction) {
        if (!finite(a, b) || !Float.isFinite(c)) {
            return Math.fma(a, b, c);
        }
        BigDecimal exact = new BigDecimal(a).multiply(new BigDecimal(b)).add(new BigDecimal(c));
        if (exact.signum() == 0) {
            return Math.fma(a, b, c);
        }
        float near = exact.floatValue();
        int compared = Float.isInfinite(near) ? (near > 0 ? 1 : -1) : new BigDecimal(near).compareTo(exact);
        boolean down = direction < 0 || direction == 0 && exact.signum() > 0;
        return down && compared > 0 ? Math.nextDown(near) : !down && compared < 0 ? Math.nextUp(near)
                : near == 0 ? Math.copySign(0f, exact.signum()) : near;
    }

    @Test
    void comparisons() {
        floats().longs("setp.lt.f32 %p0, %f1, %f2", (a, b, c) -> f(a) < f(b) ? 1 : 0)
                .longs("setp.ne.f32 %p0, %f1, %f2", (a, b, c) -> f(a) < f(b) || f(a) > f(b) ? 1 : 0)
                .longs("setp.neu.f32 %p0, %f1, %f2", (a, b, c) -> f(a) != f(b) ? 1 : 0)
                .longs("setp.geu.f32 %p0, %f1, %f2", (a, b, c) -> !(f(a) < f(b)) ? 1 : 0)
                .longs("setp.nan.f32 %p0, %f1, %f2", (a, b, c) -> f(a) != f(a) || f(b) != f(b) ? 1 : 0)
                .longs("setp.num.f32 %p0, %f1, %f2", (a, b, c) -> f(a) == f(a) && f(b) == f(b) ? 1 : 0)
                .floats("selp.f32 %f0, %f1, %f2, %p3",
                        (a, b, c) -> Float.floatToRawIntBits(c) != 0 ? a : b)
                .floats("set.gt.f32.f32 %f0, %f1, %f2", (a, b, c) -> a > b ? 1 : 0)
                .check();
    }

    private static float f(long bits) {
        return Float.intBitsToFloat((int) bits);
    }

    @Test
    void transcendentalFunctionsAreCloseToExact() {
        floats().ints("ex2.approx.f32 %f0, %f1; lg2.approx.f32 %f4, %f0; sub.f32 %f4, %f4, %f1; abs.f32 %f4, %f4; "
                        + "setp.lt.f32 %p1, %f4, 0f38D1B717; abs.f32 %f5, %f1; setp.gt.f32 %p2, %f5, 0f42C80000; "
                        + "setp.nan.f32 %p4, %f1, %f1; or.pred %p1, %p1, %p2; or.pred %p1, %p1, %p4; "
                        + "selp.f32 %f0, 0f3F800000, 0f00000000, %p1",
                        (a, b, c) -> Float.floatToRawIntBits(1f))
                .floats("tanh.approx.f32 %f0, %f1", (a, b, c) -> (float) Math.tanh(a))
                .floats("sin.approx.f32 %f0, %f1", (a, b, c) -> (float) Math.sin(a))
                .floats("cos.approx.ftz.f32 %f0, %f1", (a, b, c) -> flush((float) Math.cos(flush(a))))
                .check();
    }

    @Test
    void doubles() {
        long[] values = new long[DOUBLES.length];
        for (int i = 0; i < values.length; i++) {
            values[i] = Double.doubleToRawLongBits(DOUBLES[i]);
        }
        new InstructionCases(values).doubles("add.f64 %d0, %d1, %d2", (a, b, c) -> a + b)
                .doubles("mul.rn.f64 %d0, %d1, %d2", (a, b, c) -> a * b)
                .doubles("fma.rn.f64 %d0, %d1, %d2, %d3", Math::fma)
                .doubles("div.rn.f64 %d0, %d1, %d2", (a, b, c) -> a / b)
                .doubles("sqrt.rn.f64 %d0, %d1", (a, b, c) -> Math.sqrt(a))
                .doubles("min.f64 %d0, %d1, %d2", (a, b, c) -> a != a ? b : b != b ? a : Math.min(a, b))
                .doubles("neg.f64 %d0, %d1", (a, b, c) -> -a)
                .longs("setp.ltu.f64 %p0, %d1, %d2",
                        (a, b, c) -> !(Double.longBitsToDouble(a) >= Double.longBitsToDouble(b)) ? 1 : 0)
                .check();
    }
}
