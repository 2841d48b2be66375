package jdiffusion.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.IntBinaryOperator;
import org.junit.jupiter.api.Test;

/** Instructions that CUDA's SIMD, DPX and packing functions become, and groups of lanes that come by at one time. */
class RarerInstructionTest {

    private static InstructionCases edges() {
        return new InstructionCases(0, 1, 2, 3, 7, 31, 32, 33, -1, -2, 0x80000000L, 0x7fffffffL, 0x80ff7f01L, 0x12345678L,
                0xff00ff00L);
    }

    private static long each(long a, long b, int bits, boolean signed, IntBinaryOperator operation) {
        long result = 0;
        for (int at = 0; at < 32; at += bits) {
            long ones = (1L << bits) - 1;
            int x = (int) (a >> at & ones);
            int y = (int) (b >> at & ones);
            int half = 1 << bits - 1;
            int value = signed ? operation.applyAsInt((x ^ half) - half, (y ^ half) - half) : operation.applyAsInt(x, y);
            result |= (value & ones) << at;
        }
        return result;
    }

    private static long sumOfEach(long fields, int bits, long c) {
        long sum = c;
        for (int at = 0; at < 32; at += bits) {
            sum += fields >> at & (1L << bits) - 1;
        }
        return sum;
    }

    @Test
    void severalNumbersInAWord() {
        IntBinaryOperator difference = (x, y) -> Math.abs(x - y);
        edges().ints("vabsdiff4.u32.u32.u32 %r0, %r1, %r2, %r3", (a, b, c) -> each(a, b, 8, false, difference))
                .ints("vabsdiff4.u32.s32.s32 %r0, %r1, %r2, %r3", (a, b, c) -> each(a, b, 8, true, difference))
                .ints("vabsdiff2.u32.u32.u32 %r0, %r1, %r2, %r3", (a, b, c) -> each(a, b, 16, false, difference))
                .ints("vabsdiff2.u32.s32.s32 %r0, %r1, %r2, %r3", (a, b, c) -> each(a, b, 16, true, difference))
                .ints("vabsdiff4.u32.u32.u32.add %r0, %r1, %r2, %r3", (a, b, c) -> sumOfEach(
                        each(a, b, 8, false, difference), 8, c))
                .ints("vabsdiff4.u32.s32.s32.add %r0, %r1, %r2, %r3", (a, b, c) -> sumOfEach(
                        each(a, b, 8, true, difference), 8, c))
                .ints("vabsdiff2.u32.u32.u32.add %r0, %r1, %r2, %r3", (a, b, c) -> sumOfEach(
                        each(a, b, 16, false, difference), 16, c))
                .ints("vabsdiff2.u32.s32.s32.add %r0, %r1, %r2, %r3", (a, b, c) -> sumOfEach(
                        each(a, b, 16, true, difference), 16, c))
                .ints("add.s16x2 %r0, %r1, %r2", (a, b, c) -> each(a, b, 16, true, Integer::sum))
                .ints("min.s16x2 %r0, %r1, %r2", (a, b, c) -> each(a, b, 16, true, Math::min))
                .ints("max.u16x2 %r0, %r1, %r2", (a, b, c) -> each(a, b, 16, false, Math::max))
                .ints("max.s16x2 %r0, %r1, %r2", (a, b, c) -> each(a, b, 16, true, Math::max))
                .ints("min.u16x2 %r0, %r1, %r2", (a, b, c) -> each(a, b, 16, false, Math::min))
                .ints("max.s16x2.relu %r0, %r1, %r2", (a, b, c) -> each(a, b, 16, true,
                        (x, y) -> Math.max(0, Math.max(x, y))))
                .ints("min.relu.s16x2 %r0, %r1, %r2", (a, b, c) -> each(a, b, 16, true,
                        (x, y) -> Math.max(0, Math.min(x, y))))
                .ints("min.relu.s32 %r0, %r1, %r2", (a, b, c) -> Math.max(0, Math.min(a, b)))
                .ints("max.relu.s32 %r0, %r1, %r2", (a, b, c) -> Math.max(0, Math.max(a, b)))
                .ints("dp2a.lo.s32.s32 %r0, %r1, %r2, %r3", (a, b, c) -> c + (short) a * (byte) b
                        + (short) (a >> 16) * (byte) (b >> 8))
                .ints("dp2a.hi.u32.u32 %r0, %r1, %r2, %r3", (a, b, c) -> c + (a & 0xffff) * (b >> 16 & 0xff)
                        + (a >> 16 & 0xffff) * (b >> 24 & 0xff))
                .ints("cvt.pack.sat.s16.s32 %r0, %r1, %r2", (a, b, c) -> (Math.clamp(a, -32768, 32767) & 0xffff) << 16
                        | Math.clamp(b, -32768, 32767) & 0xffff)
                .ints("cvt.pack.sat.u8.s32.b32 %r0, %r1, %r2, %r3", (a, b, c) -> c << 16 | Math.clamp(a, 0, 255) << 8
                        | Math.clamp(b, 0, 255))
                .ints("cvt.pack.sat.s8.s32.b32 %r0, %r1, %r2, 0", (a, b, c) -> (Math.clamp(a, -128, 127) & 0xff) << 8
                        | Math.clamp(b, -128, 127) & 0xff)
                .check();
    }

    /** What is not known of a conversion would be left out silently. */
    @Test
    void otherConversionsAreRefused() {
        for (String cvt : new String[] {"cvt.rn.satfinite.bf16x2.f32 %r0, %f1, %f2", "cvt.rs.f16x2.f32 %r0, %f1, %f2, %r1",
            "cvt.rn.satfinite.f16.f32 %h0, %f1", "cvt.pack.sat.u4.s32.b32 %r0, %r1, %r2, %r3"}) {
            assertThatThrownBy(() -> Bench.kernel("", cvt + ";")).as(cvt).isInstanceOf(PtxException.class)
                    .hasMessageContaining(cvt);
        }
    }

    @Test
    void piecesOfWords() {
        edges().ints("szext.wrap.s32 %r0, %r1, %r2", (a, b, c) -> (b & 31) == 0 ? 0 : (int) a << 32 - (b & 31)
                        >> 32 - (b & 31))
                .ints("szext.clamp.u32 %r0, %r1, %r2", (a, b, c) -> b < 0 || b > 31 ? a : a & (1L << b) - 1)
                .ints("bmsk.clamp.b32 %r0, %r1, %r2", (a, b, c) -> a < 0 || a > 31 ? 0
                        : ((1L << (b < 0 || b > 31 ? 32 : b)) - 1) << a)
                .ints("bmsk.wrap.b32 %r0, %r1, %r2", (a, b, c) -> ((1L << (b & 31)) - 1) << (a & 31))
                .ints("fns.b32 %r0, %r1, 0, 1", (a, b, c) -> a == 0 ? -1 : Integer.numberOfTrailingZeros((int) a))
                .ints("fns.b32 %r0, %r1, 31, -1", (a, b, c) -> a == 0 ? -1 : 31 - Integer.numberOfLeadingZeros((int) a))
                .ints("fns.b32 %r0, %r1, 7, 0", (a, b, c) -> (a >> 7 & 1) != 0 ? 7 : -1)
                .ints("fns.b32 %r0, %r1, 4, 2", (a, b, c) -> {
                    int left = (int) a & -16;
                    left &= left - 1;
                    return left == 0 ? -1 : Integer.numberOfTrailingZeros(left);
                })
                .ints("prmt.b32.ecl %r0, %r1, %r2, 1", (a, b, c) -> a & 0xffffff00L | a >> 8 & 0xff)
                .ints("prmt.b32.ecr %r0, %r1, %r2, 2", (a, b, c) -> a & 0xffffffL | (a >> 16 & 0xff) << 24)
                .check();
    }

    @Test
    void floatsWithSignsAndRoundings() {
        var floats = new InstructionCases(0, 0x80000000L, 0x3f800000L, 0xbf800000L, 0x40490fdbL, 0x00000001L, 0x7f800000L,
                0x3dcccccdL, 0xc2280000L);
        floats.floats("min.xorsign.abs.f32 %f0, %f1, %f2", (a, b, c) -> Math.copySign(Math.min(Math.abs(a), Math.abs(b)),
                        Math.copySign(1, a) * Math.copySign(1, b)))
                .floats("max.xorsign.abs.f32 %f0, %f1, %f2", (a, b, c) -> Math.copySign(Math.max(Math.abs(a), Math.abs(b)),
                        Math.copySign(1, a) * Math.copySign(1, b)))
                .longs("testp.subnormal.f32 %p0, %f1", (a, b, c) -> a == 1 ? 1 : 0)
                .longs("testp.normal.f32 %p0, %f1", (a, b, c) -> (a & 0x7fffffff) > 1 && a != 0x7f800000L ? 1 : 0)
                .longs("testp.number.f32 %p0, %f1", (a, b, c) -> 1)
                .check();
        new InstructionCases(0x40400000L, 0x40e00000L, 0x3dcccccdL, 0x41200000L)
                .floats("rcp.rm.f32 %f0, %f1", (a, b, c) -> directed(1.0 / a, true))
                .floats("rcp.rp.f32 %f0, %f1", (a, b, c) -> directed(1.0 / a, false))
                .floats("div.rz.f32 %f0, %f1, %f2", (a, b, c) -> directed((double) a / b, true))
                .floats("sqrt.rp.f32 %f0, %f1", (a, b, c) -> directed(Math.sqrt(a), false))
                .check();
    }

    private static float directed(double a, boolean down) {
        float f = (float) a;
        return f == a || f < a == down ? f : down ? Math.nextDown(f) : Math.nextUp(f);
    }

    /** Lanes of one instruction name four groups, by their numbers modulo 4. */
    @Test
    void groupsOfLanesThatComeByTogether() {
        PtxProgram program = Bench.kernel("", """
                and.b32 %r1, %r10, 3;
                mov.u32 %r2, 0x11111111;
                shl.b32 %r2, %r2, %r1;
                redux.sync.add.s32 %r3, %r10, %r2;
                setp.gt.u32 %p1, %r10, 20;
                vote.sync.ballot.b32 %r4, %p1, %r2;
                setp.eq.u32 %p2, %r1, 3;
                vote.sync.all.pred %p3, %p2, %r2;
                shr.u32 %r5, %r10, 3;
                match.any.sync.b32 %r6, %r5, %r2;
                cvt.u64.u32 %rd1, %r1;
                match.all.sync.b64 %r7|%p4, %rd1, %r2;
                shr.u32 %r8, %r10, 4;
                match.all.sync.b32 %r9|%p5, %r8, %r2;
                selp.u32 %r11, 1, 0, %p3;
                selp.u32 %r12, 2, 0, %p4;
                selp.u32 %r13, 4, 0, %p5;
                add.u32 %r11, %r11, %r12;
                add.u32 %r11, %r11, %r13;
                mul.wide.u32 %rd2, %r10, 32;
                add.s64 %rd2, %rd2, %rd11;
                st.global.v4.u32 [%rd2], {%r3, %r4, %r6, %r7};
                st.global.v2.u32 [%rd2+16], {%r9, %r11};
                """);
        try (Bench bench = Bench.checked()) {
            MemorySegment out = bench.allocate(32 * 32);
            bench.launch(program, "k", 1, 32, 0, out, out);
            for (int lane = 0; lane < 32; lane++) {
                int group = 0x11111111 << lane % 4;
                int[] expected = {8 * (lane % 4) + 4 * 28, group & -1 << 21, group & 0xff << lane / 8 * 8, group, 0,
                    (lane % 4 == 3 ? 1 : 0) + 2};
                assertThat(out.asSlice(32L * lane, 24).toArray(ValueLayout.JAVA_INT)).as("lane %d", lane)
                        .containsExactly(expected);
            }
        }
    }

    /** The upper half of the warp comes in two parts; each half goes on when it is whole. */
    @Test
    void aGroupWaitsForItsLanes() {
        PtxProgram program = Bench.kernel("", """
                setp.lt.u32 %p1, %r10, 16;
                selp.b32 %r1, 0xffff, 0xffff0000, %p1;
                setp.lt.u32 %p2, %r10, 24;
                mov.u32 %r2, 1;
                @%p2 bra MEET;
                mov.u32 %r2, 2;
                mov.u32 %r3, 3;
                MEET:
                redux.sync.add.s32 %r4, %r2, %r1;
                mul.wide.u32 %rd2, %r10, 4;
                add.s64 %rd2, %rd2, %rd11;
                st.global.u32 [%rd2], %r4;
                """);
        try (Bench bench = Bench.checked()) {
            MemorySegment out = bench.allocate(128);
            bench.launch(program, "k", 1, 32, 0, out, out);
            for (int lane = 0; lane < 32; lane++) {
                assertThat(out.getAtIndex(ValueLayout.JAVA_INT, lane)).isEqualTo(lane < 16 ? 16 : 24);
            }
        }
    }
}
