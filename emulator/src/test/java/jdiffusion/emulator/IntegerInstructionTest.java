package jdiffusion.emulator;

import java.math.BigInteger;
import org.junit.jupiter.api.Test;

class IntegerInstructionTest {
    private static final long[] EDGES = {0, 1, -1, 2, 31, 32, 33, 0x7fffffffL, 0x80000000L, 0xffffffffL, 0x7fff,
        0x8000, 0xffff, 0x123456789abcdef0L, Long.MIN_VALUE, Long.MAX_VALUE, -7, 63, 64, 0x0101};

    private static long u(long a) {
        return a & 0xffffffffL;
    }

    private static InstructionCases edges() {
        return new InstructionCases(EDGES);
    }

    @Test
    void arithmetic32() {
        edges().ints("add.s32 %r0, %r1, %r2", (a, b, c) -> a + b)
                .ints("add.sat.s32 %r0, %r1, %r2",
                        (a, b, c) -> Math.clamp(a + b, Integer.MIN_VALUE, Integer.MAX_VALUE))
                .ints("sub.u32 %r0, %r1, %r2", (a, b, c) -> a - b)
                .ints("sub.s32 %r0, %r1, 5", (a, b, c) -> a - 5)
                .ints("mul.lo.s32 %r0, %r1, %r2", (a, b, c) -> a * b)
                .ints("mul.hi.s32 %r0, %r1, %r2", (a, b, c) -> a * b >> 32)
                .ints("mul.hi.u32 %r0, %r1, %r2", (a, b, c) -> u(a) * u(b) >>> 32)
                .ints("mad.lo.s32 %r0, %r1, %r2, %r3", (a, b, c) -> a * b + c)
                .ints("mad.hi.u32 %r0, %r1, %r2, %r3", (a, b, c) -> (u(a) * u(b) >>> 32) + c)
                .ints("div.s32 %r0, %r1, %r2", (a, b, c) -> b == 0 ? -1 : a / b)
                .ints("div.u32 %r0, %r1, %r2", (a, b, c) -> b == 0 ? -1 : u(a) / u(b))
                .ints("rem.s32 %r0, %r1, %r2", (a, b, c) -> b == 0 ? a : a % b)
                .ints("rem.u32 %r0, %r1, %r2", (a, b, c) -> b == 0 ? a : u(a) % u(b))
                .ints("abs.s32 %r0, %r1", (a, b, c) -> Math.abs(a))
                .ints("neg.s32 %r0, %r1", (a, b, c) -> -a)
                .ints("min.s32 %r0, %r1, %r2", (a, b, c) -> Math.min(a, b))
                .ints("max.s32 %r0, %r1, %r2", (a, b, c) -> Math.max(a, b))
                .ints("min.u32 %r0, %r1, %r2", (a, b, c) -> Math.min(u(a), u(b)))
                .ints("max.u32 %r0, %r1, %r2", (a, b, c) -> Math.max(u(a), u(b)))
                .ints("sad.s32 %r0, %r1, %r2, %r3", (a, b, c) -> Math.abs(a - b) + c)
                .ints("sad.u32 %r0, %r1, %r2, %r3", (a, b, c) -> Math.abs(u(a) - u(b)) + c)
                .ints("mul24.lo.u32 %r0, %r1, %r2", (a, b, c) -> (a & 0xffffff) * (b & 0xffffff))
                .ints("add.cc.u32 %r4, %r1, %r2; addc.u32 %r0, %r3, 0",
                        (a, b, c) -> c + (u(a) + u(b) >>> 32))
                .ints("sub.cc.u32 %r4, %r1, %r2; subc.u32 %r0, %r3, 0",
                        (a, b, c) -> c - (u(a) < u(b) ? 1 : 0))
                .ints("dp4a.u32.u32 %r0, %r1, %r2, %r3", (a, b, c) -> {
                    long sum = c;
                    for (int i = 0; i < 32; i += 8) {
                        sum += (a >> i & 255) * (b >> i & 255);
                    }
                    return sum;
                }).check();
    }

    @Test
    void arithmetic16() {
        edges().shorts("add.s16 %h0, %h1, %h2", (a, b, c) -> a + b)
                .shorts("mul.lo.s16 %h0, %h1, %h2", (a, b, c) -> a * b)
                .shorts("mul.hi.u16 %h0, %h1, %h2", (a, b, c) -> (a & 0xffff) * (b & 0xffff) >> 16)
                .shorts("min.s16 %h0, %h1, %h2", (a, b, c) -> Math.min(a, b))
                .shorts("max.u16 %h0, %h1, %h2", (a, b, c) -> Math.max(a & 0xffff, b & 0xffff))
                .shorts("shr.s16 %h0, %h1, 3", (a, b, c) -> a >> 3)
                .shorts("shr.u16 %h0, %h1, 3", (a, b, c) -> (a & 0xffff) >> 3)
                .shorts("shl.b16 %h0, %h1, 3", (a, b, c) -> a << 3)
                .shorts("not.b16 %h0, %h1", (a, b, c) -> ~a)
                .longs("mul.wide.s16 %r0, %h1, %h2", (a, b, c) -> u((short) a * (short) b))
                .longs("mul.wide.u16 %r0, %h1, %h2", (a, b, c) -> u((a & 0xffff) * (b & 0xffff)))
                .check();
    }

    @Test
    void arithmetic64() {
        edges().longs("add.s64 %rd0, %rd1, %rd2", (a, b, c) -> a + b)
                .longs("sub.s64 %rd0, %rd1, %rd2", (a, b, c) -> a - b)
                .longs("mul.lo.s64 %rd0, %rd1, %rd2", (a, b, c) -> a * b)
                .longs("mul.hi.s64 %rd0, %rd1, %rd2", (a, b, c) -> Math.multiplyHigh(a, b))
                .longs("mul.hi.u64 %rd0, %rd1, %rd2", (a, b, c) -> unsigned(a).multiply(unsigned(b))
                        .shiftRight(64).longValue())
                .longs("mad.lo.s64 %rd0, %rd1, %rd2, %rd3", (a, b, c) -> a * b + c)
                .longs("mul.wide.s32 %rd0, %r1, %r2", (a, b, c) -> (long) (int) a * (int) b)
                .longs("mul.wide.u32 %rd0, %r1, %r2", (a, b, c) -> u(a) * u(b))
                .longs("mad.wide.s32 %rd0, %r1, %r2, %rd3", (a, b, c) -> (long) (int) a * (int) b + c)
                .longs("mad.wide.u32 %rd0, %r1, %r2, %rd3", (a, b, c) -> u(a) * u(b) + c)
                .longs("div.s64 %rd0, %rd1, %rd2", (a, b, c) -> b == 0 ? -1 : a / b)
                .longs("div.u64 %rd0, %rd1, %rd2", (a, b, c) -> b == 0 ? -1 : Long.divideUnsigned(a, b))
                .longs("rem.s64 %rd0, %rd1, %rd2", (a, b, c) -> b == 0 ? a : a % b)
                .longs("rem.u64 %rd0, %rd1, %rd2", (a, b, c) -> b == 0 ? a : Long.remainderUnsigned(a, b))
                .longs("abs.s64 %rd0, %rd1", (a, b, c) -> Math.abs(a))
                .longs("min.u64 %rd0, %rd1, %rd2", (a, b, c) -> Long.compareUnsigned(a, b) < 0 ? a : b)
                .longs("max.s64 %rd0, %rd1, %rd2", (a, b, c) -> Math.max(a, b))
                .check();
    }

    @Test
    void carries64() {
        edges().longs("add.cc.s64 %rd4, %rd1, %rd2; addc.s64 %rd0, %rd3, 0",
                        (a, b, c) -> c + unsigned(a).add(unsigned(b)).shiftRight(64).longValue())
                .longs("add.cc.u64 %rd4, %rd1, %rd2; addc.cc.u64 %rd4, %rd3, %rd1; addc.u64 %rd0, 0, 0",
                        (a, b, c) -> unsigned(a).add(unsigned(b)).shiftRight(64).add(unsigned(c)).add(unsigned(a))
                                .shiftRight(64).longValue())
                .longs("sub.cc.u64 %rd4, %rd1, %rd2; subc.cc.u64 %rd5, %rd3, %rd1; subc.u64 %rd0, 0, 0", (a, b, c) ->
                        unsigned(c).subtract(unsigned(a)).subtract(BigInteger.valueOf(unsigned(a).compareTo(unsigned(b))
                                < 0 ? 1 : 0)).signum() < 0 ? -1 : 0)
                .longs("mad.lo.cc.u64 %rd4, %rd1, %rd2, %rd3; madc.hi.u64 %rd0, %rd1, %rd2, 0", (a, b, c) ->
                        unsigned(a).multiply(unsigned(b)).add(unsigned(c)).shiftRight(64).longValue())
                .check();
    }

    private static BigInteger unsigned(long a) {
        return new BigInteger(Long.toUnsignedString(a));
    }

    @Test
    void bits() {
        edges().ints("and.b32 %r0, %r1, %r2", (a, b, c) -> a & b)
                .ints("or.b32 %r0, %r1, %r2", (a, b, c) -> a | b)
                .ints("xor.b32 %r0, %r1, %r2", (a, b, c) -> a ^ b)
                .ints("not.b32 %r0, %r1", (a, b, c) -> ~a)
                .ints("cnot.b32 %r0, %r1", (a, b, c) -> a == 0 ? 1 : 0)
                .ints("shl.b32 %r0, %r1, %r2", (a, b, c) -> u(b) > 31 ? 0 : a << b)
                .ints("shr.u32 %r0, %r1, %r2", (a, b, c) -> u(b) > 31 ? 0 : u(a) >> b)
                .ints("shr.s32 %r0, %r1, %r2", (a, b, c) -> a >> Math.min(u(b), 31))
                .ints("popc.b32 %r0, %r1", (a, b, c) -> Integer.bitCount((int) a))
                .ints("clz.b32 %r0, %r1", (a, b, c) -> Integer.numberOfLeadingZeros((int) a))
                .ints("brev.b32 %r0, %r1", (a, b, c) -> Integer.reverse((int) a))
                .ints("bfind.u32 %r0, %r1", (a, b, c) -> 31 - Integer.numberOfLeadingZeros((int) a))
                .ints("bfind.s32 %r0, %r1",
                        (a, b, c) -> 31 - Integer.numberOfLeadingZeros((int) (a < 0 ? ~a : a)))
                .ints("lop3.b32 %r0, %r1, %r2, %r3, 0xe8", (a, b, c) -> a & b | a & c | b & c)
                .ints("lop3.b32 %r0, %r1, %r2, %r3, 0x96", (a, b, c) -> a ^ b ^ c)
                .ints("shf.l.wrap.b32 %r0, %r1, %r2, %r3",
                        (a, b, c) -> (u(a) | b << 32) << (c & 31) >>> 32)
                .ints("shf.r.wrap.b32 %r0, %r1, %r2, %r3", (a, b, c) -> (u(a) | b << 32) >>> (c & 31))
                .ints("shf.r.clamp.b32 %r0, %r1, %r2, %r3",
                        (a, b, c) -> (u(a) | b << 32) >>> Math.min(u(c), 32))
                .ints("prmt.b32 %r0, %r1, %r2, 0x5410", (a, b, c) -> a & 0xffff | b << 16)
                .ints("prmt.b32 %r0, %r1, %r2, 0x7632", (a, b, c) -> u(a) >> 16 | b & 0xffff0000L)
                .ints("prmt.b32 %r0, %r1, %r2, 0xbb3f", (a, b, c) -> ((int) b < 0 ? 0xff : 0)
                        | u(a) >> 24 << 8 | ((int) a < 0 ? 0xffff0000L : 0))
                .ints("bfe.u32 %r0, %r1, 5, 9", (a, b, c) -> a >> 5 & 0x1ff)
                .ints("bfe.s32 %r0, %r1, 5, 9", (a, b, c) -> (int) (a << 18) >> 23)
                .ints("bfi.b32 %r0, %r1, %r2, 4, 8", (a, b, c) -> b & ~0xff0L | (a & 0xff) << 4)
                .longs("shl.b64 %rd0, %rd1, %r2", (a, b, c) -> u(b) > 63 ? 0 : a << b)
                .longs("shr.u64 %rd0, %rd1, %r2", (a, b, c) -> u(b) > 63 ? 0 : a >>> b)
                .longs("shr.s64 %rd0, %rd1, %r2", (a, b, c) -> a >> Math.min(u(b), 63))
                .longs("xor.b64 %rd0, %rd1, %rd2", (a, b, c) -> a ^ b)
                .longs("popc.b64 %r0, %rd1", (a, b, c) -> Long.bitCount(a))
                .longs("clz.b64 %r0, %rd1", (a, b, c) -> Long.numberOfLeadingZeros(a))
                .longs("bfi.b64 %rd0, %rd1, %rd2, 32, 32", (a, b, c) -> u(b) | a << 32)
                .longs("bfe.u64 %rd0, %rd1, 8, 40", (a, b, c) -> a >>> 8 & (1L << 40) - 1)
                .check();
    }

    @Test
    void comparisonsAndSelections() {
        edges().longs("setp.lt.s32 %p0, %r1, %r2", (a, b, c) -> (int) a < (int) b ? 1 : 0)
                .longs("setp.lt.u32 %p0, %r1, %r2", (a, b, c) -> u(a) < u(b) ? 1 : 0)
                .longs("setp.hs.u32 %p0, %r1, %r2", (a, b, c) -> u(a) >= u(b) ? 1 : 0)
                .longs("setp.ne.s64 %p0, %rd1, %rd2", (a, b, c) -> a != b ? 1 : 0)
                .longs("setp.gt.u64 %p0, %rd1, %rd2", (a, b, c) -> Long.compareUnsigned(a, b) > 0 ? 1 : 0)
                .longs("setp.lt.s16 %p0, %h1, %h2", (a, b, c) -> (short) a < (short) b ? 1 : 0)
                .longs("setp.eq.and.s32 %p0|%p1, %r1, %r2, %p3",
                        (a, b, c) -> (int) a == (int) b && (int) c != 0 ? 1 : 0)
                .longs("setp.eq.and.s32 %p1|%p0, %r1, %r2, %p3",
                        (a, b, c) -> (int) a != (int) b && (int) c != 0 ? 1 : 0)
                .longs("setp.ge.or.s32 %p0, %r1, %r2, !%p3",
                        (a, b, c) -> (int) a >= (int) b || (int) c == 0 ? 1 : 0)
                .longs("setp.gt.xor.u32 %p0, %r1, %r2, %p3", (a, b, c) -> u(a) > u(b) ^ (int) c != 0 ? 1 : 0)
                .ints("selp.b32 %r0, %r1, %r2, %p3", (a, b, c) -> c != 0 ? a : b)
                .longs("selp.b64 %rd0, %rd1, %rd2, !%p3", (a, b, c) -> (int) c == 0 ? a : b)
                .ints("slct.s32.s32 %r0, %r1, %r2, %r3", (a, b, c) -> c >= 0 ? a : b)
                .ints("set.lt.u32.s32 %r0, %r1, %r2", (a, b, c) -> a < b ? -1 : 0)
                .ints("@%p3 mov.u32 %r0, %r1; @!%p3 mov.u32 %r0, %r2", (a, b, c) -> c != 0 ? a : b)
                .longs("mov.b64 %rd0, {%r1, %r2}", (a, b, c) -> u(a) | b << 32)
                .ints("mov.b64 {%r0, %r5}, %rd1", (a, b, c) -> a)
                .longs("mov.b64 {%r5, %r0}, %rd1", (a, b, c) -> a >>> 32)
                .ints("mov.b32 %r0, {%h1, %h2}", (a, b, c) -> a & 0xffff | b << 16)
                .longs("mov.b32 {%h5, %h0}, %r1", (a, b, c) -> a >> 16 & 0xffff)
                .longs("xor.pred %p1, %p3, %p3; not.pred %p0, %p1", (a, b, c) -> 1)
                .check();
    }
}
