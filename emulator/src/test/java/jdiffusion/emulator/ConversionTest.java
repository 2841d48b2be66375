package jdiffusion.emulator;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigDecimal;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ConversionTest {
    private static final float[] FLOATS = {0f, -0f, 0.5f, -0.5f, 1.5f, 2.5f, -2.5f, 1e10f, -1e10f, 255.5f, 3e38f,
        Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, Float.NaN, 0x1p-24f, 0x1.8p-25f, 65504f, 65520f, 0x1.ffcp-15f,
        0x1.01p0f, 0x1.03p0f, 0x1.010002p0f, 0x1p-133f, 0x1p-134f, 0x1.002p0f, 0x1.006p0f, -1000.75f};
    private static final long[] INTEGERS = {0, 1, -1, 127, 128, 255, 256, -128, -129, 32767, 65536, 0x7fffffffL,
        0x80000000L, 0xffffffffL, 16777217, 16777219, 0x7fffffffffffffffL, Long.MIN_VALUE, 0x20000000000001L};

    private static InstructionCases floats() {
        long[] values = new long[FLOATS.length];
        for (int i = 0; i < values.length; i++) {
            values[i] = Float.floatToRawIntBits(FLOATS[i]) & 0xffffffffL;
        }
        return new InstructionCases(values);
    }

    private static float f(long bits) {
        return Float.intBitsToFloat((int) bits);
    }

    private static long clamp(double a, double low, double high) {
        return a != a ? 0 : new BigDecimal(Math.clamp(a, low, high)).longValue();
    }

    private static double whole(double a, char mode) {
        return switch (mode) {
            case 'n' -> Math.rint(a);
            case 'z' -> a < 0 ? Math.ceil(a) : Math.floor(a);
            case 'm' -> Math.floor(a);
            default -> Math.ceil(a);
        };
    }

    @Test
    void floatToInteger() {
        InstructionCases cases = floats();
        for (char mode : "nzmp".toCharArray()) {
            cases.ints("cvt.r" + mode + "i.s32.f32 %r0, %f1",
                            (a, b, c) -> clamp(whole(f(a), mode), Integer.MIN_VALUE, Integer.MAX_VALUE))
                    .ints("cvt.r" + mode + "i.u32.f32 %r0, %f1",
                            (a, b, c) -> clamp(whole(f(a), mode), 0, 0xffffffffL))
                    .longs("cvt.r" + mode + "i.s64.f32 %rd0, %f1", (a, b, c) -> (long) whole(f(a), mode))
                    .ints("cvt.r" + mode + "i.u8.f32 %r0, %f1", (a, b, c) -> clamp(whole(f(a), mode), 0, 255))
                    .ints("cvt.r" + mode + "i.s8.f32 %r0, %f1", (a, b, c) -> clamp(whole(f(a), mode), -128, 127))
                    .floats("cvt.r" + mode + "i.f32.f32 %f0, %f1", (a, b, c) -> (float) whole(a, mode));
        }
        cases.check();
    }

    /** The nearest number by search, of two equally near the one whose last bit is 0; the largest instead of more. */
    @ParameterizedTest
    @ValueSource(strings = {"e4m3", "e5m2"})
    void floatsOfEightBits(String type) {
        InstructionCases cases = new InstructionCases(float8Cases());
        float[] values = new float[128];
        for (int bits = 0; bits < values.length; bits++) {
            values[bits] = WarpInstructionTest.ofByte((byte) bits, type);
        }
        cases.longs("cvt.rn.satfinite." + type + "x2.f32 %h0, %f1, %f2",
                        (a, b, c) -> nearest(f(a), values) << 8 | nearest(f(b), values))
                .longs("cvt.rn.satfinite.relu." + type + "x2.f32 %h0, %f1, %f2",
                        (a, b, c) -> nearest(positive(f(a)), values) << 8 | nearest(positive(f(b)), values))
                .ints("cvt.rn.f16x2." + type + "x2 %r0, %h1",
                        (a, b, c) -> half((byte) a, type) | half((byte) (a >> 8), type) << 16)
                .ints("cvt.rn.relu.f16x2." + type + "x2 %r0, %h1",
                        (a, b, c) -> positiveHalf((byte) a, type) | positiveHalf((byte) (a >> 8), type) << 16)
                .longs("cvt.rn.satfinite." + type + "x2.f16x2 %h0, %r1",
                        (a, b, c) -> nearest(Float.float16ToFloat((short) a), values)
                                | nearest(Float.float16ToFloat((short) (a >> 16)), values) << 8)
                .check();
    }

    private static long[] float8Cases() {
        float[] more = {448, 464, 464.01f, 57344, 61440, 61440.1f, 0x1p-9f, 0x1p-10f, 0x1.1p-10f, 0x1p-16f, 0x1p-17f,
            17, 19, 1.0625f, 1.1875f, -3.3f, -0x1.fp-7f};
        return LongStream.concat(IntStream.range(0, FLOATS.length).mapToLong(i -> Float.floatToRawIntBits(FLOATS[i])),
                IntStream.range(0, more.length).mapToLong(i -> Float.floatToRawIntBits(more[i])))
                .map(bits -> bits & 0xffffffffL).toArray();
    }

    private static float positive(float a) {
        return a > 0 || a != a ? a : 0;
    }

    /** @param values of the numbers from 0 on, by their bits */
    private static int nearest(float a, float[] values) {
        if (a != a) {
            return 0x7f;
        }
        int best = 0;
        double magnitude = Math.min(Math.abs(a), 1e6);
        for (int bits = 1; bits < 128; bits++) {
            double far = Math.abs(values[bits] - magnitude);
            double least = Math.abs(values[best] - magnitude);
            if (Float.isFinite(values[bits]) && (far < least || far == least && bits % 2 == 0)) {
                best = bits;
            }
        }
        return best | (Float.floatToRawIntBits(a) < 0 ? 0x80 : 0);
    }

    private static int half(byte bits, String type) {
        float value = WarpInstructionTest.ofByte(bits, type);
        return value != value ? 0x7fff : Float.floatToFloat16(value) & 0xffff;
    }

    private static int positiveHalf(byte bits, String type) {
        float value = positive(WarpInstructionTest.ofByte(bits, type));
        return value != value ? 0x7fff : Float.floatToFloat16(value) & 0xffff;
    }

    @Test
    void integerToFloat() {
        new InstructionCases(INTEGERS).ints("cvt.rn.f32.s32 %f0, %r1",
                        (a, b, c) -> Float.floatToRawIntBits((int) a))
                .ints("cvt.rn.f32.u32 %f0, %r1", (a, b, c) -> Float.floatToRawIntBits((float) (a & 0xffffffffL)))
                .longs("cvt.rn.f32.s64 %f0, %rd1", (a, b, c) -> Float.floatToRawIntBits((float) a) & 0xffffffffL)
                .longs("cvt.rn.f32.u64 %f0, %rd1", (a, b, c) -> Float.floatToRawIntBits(
                        new BigDecimal(Long.toUnsignedString(a)).floatValue()) & 0xffffffffL)
                .longs("cvt.rz.f32.u32 %f0, %r1", (a, b, c) -> {
                    long value = a & 0xffffffffL;
                    float near = value;
                    return Float.floatToRawIntBits((double) near > value ? Math.nextDown(near) : near);
                })
                .longs("cvt.rn.f64.s64 %d0, %rd1", (a, b, c) -> Double.doubleToRawLongBits((double) a))
                .longs("cvt.rn.f64.u64 %d0, %rd1", (a, b, c) -> Double.doubleToRawLongBits(
                        new BigDecimal(Long.toUnsignedString(a)).doubleValue()))
                .longs("cvt.rn.f64.s32 %d0, %r1", (a, b, c) -> Double.doubleToRawLongBits((int) a))
                .longs("cvt.rn.f16.s32 %h0, %r1", (a, b, c) -> Float.floatToFloat16((int) a) & 0xffff)
                .check();
    }

    @Test
    void integerToInteger() {
        new InstructionCases(INTEGERS).longs("cvt.s64.s32 %rd0, %r1", (a, b, c) -> (int) a)
                .longs("cvt.u64.u32 %rd0, %r1", (a, b, c) -> a & 0xffffffffL)
                .longs("cvt.s64.s16 %rd0, %h1", (a, b, c) -> (short) a)
                .ints("cvt.u32.u64 %r0, %rd1", (a, b, c) -> a)
                .ints("cvt.s32.s8 %r0, %r1", (a, b, c) -> (byte) a)
                .ints("cvt.u32.u8 %r0, %r1", (a, b, c) -> a & 0xff)
                .ints("cvt.s32.s16 %r0, %h1", (a, b, c) -> (short) a)
                .shorts("cvt.u16.u32 %h0, %r1", (a, b, c) -> a)
                .ints("cvt.sat.u8.s32 %r0, %r1", (a, b, c) -> Math.clamp((int) a, 0, 255))
                .ints("cvt.sat.s8.s32 %r0, %r1", (a, b, c) -> Math.clamp((int) a, -128, 127))
                .longs("cvt.sat.s32.s64 %r0, %rd1",
                        (a, b, c) -> Math.clamp(a, Integer.MIN_VALUE, Integer.MAX_VALUE) & 0xffffffffL)
                .ints("cvt.sat.s32.u32 %r0, %r1", (a, b, c) -> Math.min(a & 0xffffffffL, Integer.MAX_VALUE))
                .longs("cvt.sat.u32.u64 %r0, %rd1",
                        (a, b, c) -> a < 0 || a > 0xffffffffL ? 0xffffffffL : a)
                .check();
    }

    @Test
    void floatToFloat() {
        floats().longs("cvt.f64.f32 %d0, %f1", (a, b, c) -> f(a) != f(a) ? 0x7ff8000000000000L
                        : Double.doubleToRawLongBits(f(a)))
                .longs("cvt.rn.f16.f32 %h0, %f1", (a, b, c) -> half(f(a)))
                .longs("cvt.rz.f16.f32 %h0, %f1", (a, b, c) -> halfToZero(f(a)))
                .longs("cvt.rn.bf16.f32 %h0, %f1", (a, b, c) -> brain(f(a)))
                .ints("cvt.rn.f16x2.f32 %r0, %f1, %f2", (a, b, c) -> half(f(a)) << 16 | half(f(b)))
                .ints("cvt.rn.bf16x2.f32 %r0, %f1, %f2", (a, b, c) -> brain(f(a)) << 16 | brain(f(b)))
                .floats("cvt.f32.f16 %f0, %h1", (a, b, c) -> Float.float16ToFloat((short) Float.floatToRawIntBits(a)))
                .floats("cvt.f32.bf16 %f0, %h1", (a, b, c) -> f((long) Float.floatToRawIntBits(a) << 16))
                .floats("cvt.sat.f32.f32 %f0, %f1", (a, b, c) -> a > 0 ? Math.min(a, 1) : 0f)
                .floats("cvt.ftz.f32.f32 %f0, %f1",
                        (a, b, c) -> Math.abs(a) < Float.MIN_NORMAL ? Math.copySign(0f, a) : a)
                .check();
    }

    private static long half(float a) {
        return a != a ? 0x7fff : Float.floatToFloat16(a) & 0xffff;
    }

    private static long halfToZero(float a) {
        if (a != a || Float.isInfinite(a)) {
            return half(a);
        }
        int bits = Float.floatToFloat16(a) & 0xffff;
        return Math.abs(Float.float16ToFloat((short) bits)) > Math.abs(a) ? bits - 1 : bits;
    }

    /** Nearest bfloat16 by trying the neighbours. */
    private static long brain(float a) {
        if (a != a) {
            return 0x7fff;
        }
        int down = Float.floatToRawIntBits(a) >>> 16;
        if (Float.isInfinite(a)) {
            return down;
        }
        float below = Float.intBitsToFloat(down << 16);
        double above = (down & 0x7fff) == 0x7f7f ? Math.copySign(0x1p128, a) : Float.intBitsToFloat(down + 1 << 16);
        double left = Math.abs((double) a - below);
        double right = Math.abs(above - a);
        return left < right || left == right && (down & 1) == 0 ? down : down + 1;
    }

    @Test
    void doubleToFloatInEveryMode() {
        double[] doubles = {0, 0.1, -0.1, 1e300, -1e300, 1e-50, 1 + 0x1p-24, 1 + 0x1p-23, 5};
        long[] values = new long[doubles.length];
        for (int i = 0; i < values.length; i++) {
            values[i] = Double.doubleToRawLongBits(doubles[i]);
        }
        new InstructionCases(values).longs("cvt.rn.f32.f64 %f0, %d1", (a, b, c) -> bits((float) d(a)))
                .longs("cvt.rz.f32.f64 %f0, %d1", (a, b, c) -> bits(d(a) > 0 ? down(d(a)) : up(d(a))))
                .longs("cvt.rm.f32.f64 %f0, %d1", (a, b, c) -> bits(down(d(a))))
                .longs("cvt.rp.f32.f64 %f0, %d1", (a, b, c) -> bits(up(d(a))))
                .longs("cvt.rzi.s64.f64 %rd0, %d1", (a, b, c) -> (long) d(a))
                .check();
    }

    private static double d(long bits) {
        return Double.longBitsToDouble(bits);
    }

    private static long bits(float a) {
        return Float.floatToRawIntBits(a) & 0xffffffffL;
    }

    private static float down(double a) {
        float near = (float) a;
        return near > a ? Math.nextDown(near) : near;
    }

    private static float up(double a) {
        float near = (float) a;
        return near < a ? Math.nextUp(near) : near;
    }

    @Test
    void packedHalves() {
        long[] values = {0x3c003c00, 0x7bff0001, 0xc0004200, 0x04007e00, 0x3f803f80, 0x00018000};
        new InstructionCases(values)
                .ints("fma.rn.f16x2 %r0, %r1, %r2, %r3", (a, b, c) -> pairs(a, b, c, false))
                .ints("fma.rn.bf16x2 %r0, %r1, %r2, %r3", (a, b, c) -> pairs(a, b, c, true))
                .check();
        assertThat(values).hasSize(6);
    }

    private static long pairs(long a, long b, long c, boolean brain) {
        return one(a, b, c, brain) | one(a >> 16, b >> 16, c >> 16, brain) << 16;
    }

    private static long one(long a, long b, long c, boolean brain) {
        float x = widen(a, brain);
        float y = widen(b, brain);
        float z = widen(c, brain);
        if (!Float.isFinite(x) || !Float.isFinite(y) || !Float.isFinite(z)) {
            float sum = x * y + z;
            return brain ? brain(sum) : half(sum);
        }
        // Exact: the products have at most 22 bits, and the exponents here are close enough for a double.
        double exact = (double) x * y + z;
        float odd = (float) exact;
        if (odd != exact && !Float.isInfinite(odd)) {
            odd = Math.abs(odd) > Math.abs(exact) ? (odd > 0 ? Math.nextDown(odd) : Math.nextUp(odd)) : odd;
            odd = Float.intBitsToFloat(Float.floatToRawIntBits(odd) | 1);
        }
        return brain ? brain(odd) : half(odd);
    }

    private static float widen(long bits, boolean brain) {
        return brain ? f(bits << 16) : Float.float16ToFloat((short) bits);
    }
}
