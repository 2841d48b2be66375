package jdiffusion.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ControlFlowTest {
    private static final String STORE = """
            mul.wide.u32 %rd12, %r10, 4;
            add.s64 %rd11, %rd11, %rd12;
            st.global.u32 [%rd11], %r0;
            """;

    private static int[] run(PtxProgram program, int threads) {
        try (Bench bench = Bench.plain()) {
            MemorySegment out = bench.allocate(4L * threads);
            bench.launch(program, "k", 1, threads, 0, out, out);
            return out.toArray(ValueLayout.JAVA_INT);
        }
    }

    @Test
    void lanesLoopDifferentNumbersOfTimes() {
        int[] out = run(Bench.kernel("", """
                mov.u32 %r0, 0;
                mov.u32 %r1, 0;
                setp.eq.s32 %p1, %r10, 0;
                @%p1 bra DONE;
                LOOP:
                add.s32 %r1, %r1, 1;
                mad.lo.s32 %r0, %r1, %r1, %r0;
                setp.lt.s32 %p2, %r1, %r10;
                @%p2 bra LOOP;
                DONE:
                """ + STORE), 70);
        for (int i = 0; i < out.length; i++) {
            assertThat(out[i]).isEqualTo(i * (i + 1) * (2 * i + 1) / 6);
        }
    }

    @Test
    void nestedBranchesMeetAgain() {
        int[] out = run(Bench.kernel("", """
                and.b32 %r1, %r10, 1;
                and.b32 %r2, %r10, 2;
                setp.ne.s32 %p1, %r1, 0;
                setp.ne.s32 %p2, %r2, 0;
                mov.u32 %r0, 0;
                @%p1 bra ODD;
                add.s32 %r0, %r0, 100;
                @%p2 bra JOIN;
                add.s32 %r0, %r0, 10;
                bra.uni JOIN;
                ODD:
                add.s32 %r0, %r0, 200;
                @!%p2 bra JOIN;
                add.s32 %r0, %r0, 20;
                JOIN:
                activemask.b32 %r3;
                popc.b32 %r3, %r3;
                mad.lo.s32 %r0, %r3, 1000, %r0;
                """ + STORE), 32);
        for (int i = 0; i < out.length; i++) {
            int expected = (i & 1) == 0 ? (i & 2) == 0 ? 110 : 100 : (i & 2) == 0 ? 200 : 220;
            assertThat(out[i]).isEqualTo(32000 + expected);
        }
    }

    @Test
    void someLanesReturnEarly() {
        int[] out = run(Bench.kernel("", """
                mov.u32 %r0, 7;
                setp.gt.u32 %p1, %r10, 20;
                @%p1 ret;
                """ + STORE), 40);
        for (int i = 0; i < out.length; i++) {
            assertThat(out[i]).isEqualTo(i > 20 ? 0 : 7);
        }
    }

    @Test
    void lanesGatherBeforeCollectiveInstructions() {
        // The text has the exit of the loop before the loop, so that lanes that leave it would run ahead.
        int[] out = run(Bench.kernel("", """
                mov.u32 %r1, 0;
                mov.u32 %r2, 0;
                bra.uni LOOP;
                EXIT:
                shfl.sync.bfly.b32 %r0, %r2, 1, 31, -1;
                bra.uni STORE;
                LOOP:
                add.s32 %r2, %r2, 10;
                add.s32 %r1, %r1, 1;
                setp.le.u32 %p1, %r1, %r10;
                @%p1 bra LOOP;
                bra.uni EXIT;
                STORE:
                """ + STORE), 32);
        for (int i = 0; i < out.length; i++) {
            assertThat(out[i]).isEqualTo(10 * ((i ^ 1) + 1));
        }
    }

    @Test
    void indexedBranch() {
        int[] out = run(Bench.kernel("", """
                rem.u32 %r1, %r10, 3;
                TABLE: .branchtargets A, B, C;
                brx.idx %r1, TABLE;
                A: mov.u32 %r0, 5; bra JOIN;
                B: mov.u32 %r0, 6; bra JOIN;
                C: mov.u32 %r0, 7;
                JOIN:
                """ + STORE), 32);
        for (int i = 0; i < out.length; i++) {
            assertThat(out[i]).isEqualTo(5 + i % 3);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3, 4, 5})
    void barriersOrderSharedMemory(long seed) {
        PtxProgram program = Bench.kernel(".shared .align 4 .b8 buffer[1024];", """
                mov.u32 %r1, buffer;
                shl.b32 %r2, %r10, 2;
                add.s32 %r3, %r1, %r2;
                mul.lo.s32 %r4, %r10, 3;
                st.shared.u32 [%r3], %r4;
                bar.sync 0;
                xor.b32 %r5, %r2, 508;
                add.s32 %r5, %r5, %r1;
                ld.shared.u32 %r0, [%r5];
                barrier.sync 1, 128;
                """ + STORE);
        try (Bench bench = new Bench(EmulatorOptions.defaults().withSeed(seed).withCheck(true))) {
            MemorySegment out = bench.allocate(4 * 128);
            bench.launch(program, "k", 3, 128, 0, out, out);
            for (int i = 0; i < 128; i++) {
                assertThat(out.getAtIndex(ValueLayout.JAVA_INT, i)).isEqualTo(3 * (127 - i));
            }
        }
    }

    @Test
    void scopesHaveTheirOwnRegisters() {
        int[] out = run(Bench.kernel("", """
                mov.u32 %r0, 1;
                {
                .reg .b32 %r0, t;
                mov.u32 %r0, 2;
                mov.u32 t, %r0;
                }
                """ + STORE), 1);
        assertThat(out).containsExactly(1);
    }

    @Test
    void specialRegisters() {
        PtxProgram program = Bench.kernel("", """
                mov.u32 %r1, %ctaid.x;
                mov.u32 %r2, %ntid.x;
                mov.u32 %r3, %laneid;
                mov.u32 %r4, %nctaid.x;
                mov.u32 %r5, %lanemask_lt;
                popc.b32 %r5, %r5;
                mad.lo.s32 %r6, %r1, %r2, %r10;
                mul.wide.u32 %rd12, %r6, 4;
                add.s64 %rd11, %rd11, %rd12;
                mad.lo.s32 %r0, %r4, 1000, %r3;
                mad.lo.s32 %r0, %r5, 100, %r0;
                st.global.u32 [%rd11], %r0;
                """);
        try (Bench bench = Bench.plain()) {
            MemorySegment out = bench.allocate(4 * 200);
            bench.launch(program, "k", 5, 40, 0, out, out);
            for (int i = 0; i < 200; i++) {
                int lane = i % 40 % 32;
                assertThat(out.getAtIndex(ValueLayout.JAVA_INT, i)).isEqualTo(5000 + 101 * lane);
            }
        }
    }

    /** A thread waits until its clock has moved on by 1000 ns, and stores what each clock then shows. */
    @Test
    void clocksGoOn() {
        PtxProgram program = Bench.kernel("", """
                mov.u64 %rd1, %globaltimer;
                mov.u64 %rd2, %clock64;
                AGAIN:
                mov.u64 %rd3, %globaltimer;
                sub.u64 %rd4, %rd3, %rd1;
                setp.lt.u64 %p1, %rd4, 1000;
                @%p1 bra AGAIN;
                mov.u64 %rd5, %clock64;
                mov.u32 %r1, %globaltimer_lo;
                mov.u32 %r2, %globaltimer_hi;
                mov.b64 %rd6, {%r1, %r2};
                mov.u32 %r3, %clock;
                mov.u32 %r4, %clock_hi;
                mov.b64 %rd7, {%r3, %r4};
                setp.eq.s32 %p2, %r10, 31;
                @%p2 st.global.v2.u64 [%rd11], {%rd1, %rd2};
                @%p2 st.global.v2.u64 [%rd11+16], {%rd3, %rd5};
                @%p2 st.global.v2.u64 [%rd11+32], {%rd6, %rd7};
                """);
        try (Bench bench = Bench.checked()) {
            MemorySegment out = bench.allocate(48);
            long before = System.nanoTime();
            bench.launch(program, "k", 1, 32, 0, out, out);
            long after = System.nanoTime();
            long[] shown = out.toArray(ValueLayout.JAVA_LONG);
            assertThat(shown).isSorted();
            assertThat(shown[0]).isGreaterThanOrEqualTo(before);
            assertThat(shown[2] - shown[0]).isGreaterThanOrEqualTo(1000);
            // Halves that are read one after the other fit each other as long as the lower one does not go round.
            assertThat(shown[5]).isLessThanOrEqualTo(after + (1L << 32));
        }
    }

    @Test
    void unsupportedInstructionsAreRefusedWithTheirLine() {
        assertThatThrownBy(() -> Bench.kernel("", "wgmma.fence.sync.aligned;\n"))
                .isInstanceOf(PtxException.class).hasMessageContaining("test.ptx:")
                .hasMessageContaining("kernel k").hasMessageContaining("this instruction needs .target sm_90a")
                .hasMessageContaining("wgmma.fence.sync.aligned");
        assertThatThrownBy(() -> Bench.hopper("", "tcgen05.fence::before_thread_sync;\n"))
                .isInstanceOf(PtxException.class).hasMessageContaining("this instruction is not supported");
        assertThatThrownBy(() -> Bench.kernel("", "add.s32 %r1, %r2, %nothing;"))
                .isInstanceOf(PtxException.class).hasMessageContaining("%nothing");
        assertThatThrownBy(() -> Bench.kernel("", "bra NOWHERE;")).isInstanceOf(PtxException.class);
    }
}
