package jdiffusion.emulator;

import java.util.List;
import org.junit.jupiter.api.Test;

/** Instructions that are executed for all lanes at once, in all their forms: with registers, numbers and guards. */
class WideInstructionTest {
    private static final long[] EDGES = {0, 1, 2, 3, 31, 32, 33, 0xffff, 0x10000, 0x7fffffffL, 0x80000000L, 0xffffffffL,
        0x12345678_9abcdef0L, Long.MAX_VALUE, Long.MIN_VALUE, -1};
    private static final long[] FLOATS = {0, 0x80000000L, 0x3f800000L, 0xbf800000L, 0x00000001L, 0x80000001L,
        0x3f808000L, 0x3f818000L, 0x3f808001L, 0x7f7fffffL, 0xff7fffffL, 0x7f800000L, 0xff800000L, 0x7fc00000L,
        0x7f800001L, 0x40490fdbL, 0xc2fc0001L};

    private static InstructionCases cases() {
        return new InstructionCases(EDGES);
    }

    @Test
    void integers() {
        cases().ints("mov.u32 %r0, %r1", (a, b, c) -> a)
                .ints("mov.b32 %r0, -7", (a, b, c) -> -7)
                .ints("add.s32 %r0, %r1, %r2", (a, b, c) -> a + b)
                .ints("add.u32 %r0, %r1, -5", (a, b, c) -> a - 5)
                .ints("sub.s32 %r0, %r1, %r2", (a, b, c) -> a - b)
                .ints("mul.lo.s32 %r0, %r1, %r2", (a, b, c) -> (int) a * (int) b)
                .ints("mad.lo.s32 %r0, %r1, %r2, %r3", (a, b, c) -> (int) a * (int) b + (int) c)
                .ints("mad.lo.u32 %r0, %r1, 12, %r3", (a, b, c) -> (int) a * 12 + (int) c)
                .ints("min.s32 %r0, %r1, %r2", (a, b, c) -> Math.min((int) a, (int) b))
                .ints("max.s32 %r0, %r1, %r2", (a, b, c) -> Math.max((int) a, (int) b))
                .ints("and.b32 %r0, %r1, %r2", (a, b, c) -> a & b)
                .ints("or.b32 %r0, %r1, %r2", (a, b, c) -> a | b)
                .ints("xor.b32 %r0, %r1, %r2", (a, b, c) -> a ^ b)
                .ints("not.b32 %r0, %r1", (a, b, c) -> ~a).check();
    }

    @Test
    void shiftsByNumbers() {
        InstructionCases cases = cases();
        for (int n : List.of(0, 1, 16, 31, 32, 33, 63, 64, 100, -1)) {
            boolean none = n < 0 || n > 31;
            boolean nothing = n < 0 || n > 63;
            cases.ints("shl.b32 %r0, %r1, " + n, (a, b, c) -> none ? 0 : (int) a << n)
                    .ints("shr.u32 %r0, %r1, " + n, (a, b, c) -> none ? 0 : (int) a >>> n)
                    .ints("shr.s32 %r0, %r1, " + n, (a, b, c) -> (int) a >> (none ? 31 : n))
                    .longs("shl.b64 %rd0, %rd1, " + n, (a, b, c) -> nothing ? 0 : a << n)
                    .longs("shr.u64 %rd0, %rd1, " + n, (a, b, c) -> nothing ? 0 : a >>> n)
                    .longs("shr.s64 %rd0, %rd1, " + n, (a, b, c) -> a >> (nothing ? 63 : n));
        }
        cases.check();
    }

    @Test
    void longs() {
        cases().longs("mov.u64 %rd0, %rd1", (a, b, c) -> a)
                .longs("mov.b64 %rd0, -7", (a, b, c) -> -7)
                .longs("add.s64 %rd0, %rd1, %rd2", (a, b, c) -> a + b)
                .longs("add.s64 %rd0, %rd1, -4096", (a, b, c) -> a - 4096)
                .longs("sub.s64 %rd0, %rd1, %rd2", (a, b, c) -> a - b)
                .longs("mul.lo.s64 %rd0, %rd1, %rd2", (a, b, c) -> a * b)
                .longs("and.b64 %rd0, %rd1, %rd2", (a, b, c) -> a & b)
                .longs("or.b64 %rd0, %rd1, %rd2", (a, b, c) -> a | b)
                .longs("mul.wide.s32 %rd0, %r1, %r2", (a, b, c) -> (long) (int) a * (int) b)
                .longs("mul.wide.u32 %rd0, %r1, %r2", (a, b, c) -> (a & 0xffffffffL) * (b & 0xffffffffL))
                .longs("mul.wide.s32 %rd0, %r1, -3", (a, b, c) -> (long) (int) a * -3)
                .longs("cvt.u64.u32 %rd0, %r1", (a, b, c) -> a & 0xffffffffL)
                .longs("cvt.s64.s32 %rd0, %r1", (a, b, c) -> (int) a)
                .ints("cvt.u32.u64 %r0, %rd1", (a, b, c) -> a)
                .longs("cvta.to.global.u64 %rd0, %rd1", (a, b, c) -> a).check();
    }

    private static long bit(boolean value) {
        return value ? 1 : 0;
    }

    @Test
    void comparisons() {
        InstructionCases cases = cases();
        for (String sign : List.of("s", "u")) {
            boolean signed = sign.equals("s");
            for (String how : List.of("eq", "ne", "lt", "le", "gt", "ge")) {
                cases.longs("setp.%s.%s32 %%p0, %%r1, %%r2".formatted(how, sign), (a, b, c) -> bit(holds(how,
                        signed ? Integer.compare((int) a, (int) b) : Integer.compareUnsigned((int) a, (int) b))));
                cases.longs("setp.%s.%s32 %%p0, %%r1, 2".formatted(how, sign), (a, b, c) -> bit(holds(how,
                        signed ? Integer.compare((int) a, 2) : Integer.compareUnsigned((int) a, 2))));
                cases.longs("setp.%s.%s64 %%p0, %%rd1, %%rd2".formatted(how, sign), (a, b, c) -> bit(holds(how,
                        signed ? Long.compare(a, b) : Long.compareUnsigned(a, b))));
            }
        }
        cases.check();
    }

    private static boolean holds(String how, int order) {
        return switch (how) {
            case "eq" -> order == 0;
            case "ne" -> order != 0;
            case "lt" -> order < 0;
            case "le" -> order <= 0;
            case "gt" -> order > 0;
            default -> order >= 0;
        };
    }

    /** The predicate {@code %p3} holds where the third value is not 0, {@code %p1} and {@code %p2} likewise. */
    @Test
    void predicatesAndSelections() {
        String both = "setp.ne.s32 %p1, %r1, 0; setp.ne.s32 %p2, %r2, 0; ";
        cases().ints("selp.b32 %r0, %r1, %r2, %p3", (a, b, c) -> c != 0 ? a : b)
                .ints("selp.s32 %r0, %r1, 9, %p3", (a, b, c) -> c != 0 ? a : 9)
                .ints("selp.f32 %f0, %f1, %f2, %p3", (a, b, c) -> c != 0 ? a : b)
                .longs("selp.b64 %rd0, %rd1, %rd2, %p3", (a, b, c) -> (int) c != 0 ? a : b)
                .longs("mov.pred %p0, %p3", (a, b, c) -> bit((int) c != 0))
                .longs("not.pred %p0, %p3", (a, b, c) -> bit((int) c == 0))
                .longs(both + "and.pred %p0, %p1, %p2", (a, b, c) -> bit((int) a != 0 && (int) b != 0))
                .longs(both + "or.pred %p0, %p1, %p2", (a, b, c) -> bit((int) a != 0 || (int) b != 0))
                .longs(both + "xor.pred %p0, %p1, %p2", (a, b, c) -> bit((int) a != 0 ^ (int) b != 0)).check();
    }

    @Test
    void halvesOfWords() {
        cases().ints("mov.b32 %r0, {%h1, %h2}", (a, b, c) -> a & 0xffff | b << 16)
                .ints("mov.b32 %r0, {%h1, 5}", (a, b, c) -> a & 0xffff | 5 << 16)
                .longs("mov.b32 {%h0, %h4}, %r1", (a, b, c) -> a & 0xffff)
                .longs("mov.b32 {%h4, %h0}, %r1", (a, b, c) -> a >>> 16 & 0xffff)
                .longs("mov.b32 {_, %h0}, %r1", (a, b, c) -> a >>> 16 & 0xffff).check();
    }

    @Test
    void floats() {
        new InstructionCases(FLOATS).floats("mov.f32 %f0, %f1", (a, b, c) -> a)
                .floats("mov.f32 %f0, 0f3F800000", (a, b, c) -> 1)
                .floats("add.f32 %f0, %f1, %f2", (a, b, c) -> a + b)
                .floats("add.f32 %f0, %f1, 0d3FF8000000000000", (a, b, c) -> a + 1.5f)
                .floats("sub.f32 %f0, %f1, %f2", (a, b, c) -> a - b)
                .floats("mul.f32 %f0, %f1, %f2", (a, b, c) -> a * b)
                .floats("div.rn.f32 %f0, %f1, %f2", (a, b, c) -> a / b)
                .floats("fma.rn.f32 %f0, %f1, %f2, %f3", Math::fma)
                .ints("neg.f32 %f0, %f1", (a, b, c) -> a ^ Integer.MIN_VALUE)
                .ints("abs.f32 %f0, %f1", (a, b, c) -> a & Integer.MAX_VALUE)
                .ints("max.f32 %f0, %f1, %f2", (a, b, c) -> number(a, b, Math.max(f(a), f(b))))
                .ints("min.f32 %f0, %f1, %f2", (a, b, c) -> number(a, b, Math.min(f(a), f(b))))
                .ints("cvt.rn.bf16x2.f32 %r0, %f1, %f2", (a, b, c) -> bf16((int) a) << 16 | bf16((int) b)).check();
    }

    private static float f(long bits) {
        return Float.intBitsToFloat((int) bits);
    }

    /** NaN only where both are; then the one that every such instruction gives. */
    private static long number(long a, long b, float chosen) {
        return Float.isNaN(f(a)) ? Float.isNaN(f(b)) ? 0x7fffffff : b : Float.isNaN(f(b)) ? a
                : Float.floatToRawIntBits(chosen);
    }

    private static int bf16(int bits) {
        if (Float.isNaN(Float.intBitsToFloat(bits))) {
            return 0x7fff;
        }
        int rest = bits & 0xffff;
        int kept = bits >>> 16;
        return rest > 0x8000 || rest == 0x8000 && (kept & 1) == 1 ? kept + 1 : kept;
    }

    @Test
    void powersAndReciprocals() {
        new InstructionCases(0, 0x80000000L, 0x3f800000L, 0xbf800000L, 0x40000000L, 0xc2fc0000L, 0xc3000000L,
                0xc3160000L, 0x43000000L, 0x7f800000L, 0xff800000L, 0x7fc00000L, 0x00000001L, 0x7e800000L, 0x7f7fffffL)
                .floats("ex2.approx.f32 %f0, %f1", (a, b, c) -> (float) Math.pow(2, a))
                .floats("ex2.approx.ftz.f32 %f0, %f1", (a, b, c) -> flushed((float) Math.pow(2, a)))
                .floats("rcp.approx.ftz.f32 %f0, %f1", (a, b, c) -> flushed(1 / flushed(a))).check();
    }

    private static float flushed(float a) {
        return Math.abs(a) < Float.MIN_NORMAL ? 0 * a : a;
    }
}
