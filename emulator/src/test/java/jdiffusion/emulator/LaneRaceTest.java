package jdiffusion.emulator;

import static jdiffusion.emulator.Faults.assertFault;
import static jdiffusion.emulator.Faults.checked;
import static jdiffusion.emulator.Faults.fault;
import static jdiffusion.emulator.Faults.plain;
import static org.assertj.core.api.Assertions.assertThat;

import jdiffusion.emulator.DeviceFault.Kind;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Lanes of a warp are in order where they meet at a barrier, and nowhere else. */
class LaneRaceTest {
    /** Each thread stores at its own place, %r1, and reads at that of another thread of its warp, %r2. */
    private static final String EXCHANGE = """
            shl.b32 %r1, %r10, 2;
            xor.b32 %r2, %r1, DISTANCE;
            st.shared.u32 [%r1], %r1;
            BETWEEN
            ld.shared.u32 %r3, [%r2];
            """;
    private static final String LOAD = "ld.shared.u32 %r3, [%r2];";

    private static DeviceFault exchange(int distance, String between) {
        return fault(checked(), EXCHANGE.replace("DISTANCE", 4 * distance + "").replace("BETWEEN", between), 1, 64);
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3})
    void missingSyncwarp(long seed) {
        String body = EXCHANGE.replace("DISTANCE", "4");
        assertThat(fault(checked().withSeed(seed), body.replace("BETWEEN", "bar.warp.sync -1;"))).isNull();
        DeviceFault fault = fault(checked().withSeed(seed), body.replace("BETWEEN", ""));
        assertFault(fault, Kind.SHARED_RACE, LOAD, 0, fault.thread());
        assertThat(fault.thread()).isIn(0, 32);
        int other = fault.thread() + 1;
        assertThat(fault).hasMessageContaining("is read here and was written by thread %d (warp %d, lane 1) at line %d"
                .formatted(other, other / 32, fault.line() - 2))
                .hasMessageContaining("`st.shared.u32 [%r1], %r1;` with no bar.warp.sync or other barrier between");
    }

    @ParameterizedTest
    @ValueSource(strings = {"bar.sync 0;", "barrier.sync.aligned 0;", "bar.warp.sync -1;\nbar.warp.sync -1;"})
    void barriersOrderLanes(String barrier) {
        assertThat(exchange(1, barrier)).isNull();
    }

    /** They wait for lanes, and order no memory. */
    @ParameterizedTest
    @ValueSource(strings = {"shfl.sync.bfly.b32 %r4, %r1, 1, 31, -1;", "vote.sync.ballot.b32 %r4, %p1, -1;",
        "match.any.sync.b32 %r4, %r1, -1;", "membar.cta;"})
    void otherInstructionsDoNot(String instruction) {
        DeviceFault fault = exchange(1, instruction);
        assertFault(fault, Kind.SHARED_RACE, LOAD, 0, fault.thread());
    }

    @Test
    void overwritingWhatAnotherLaneReads() {
        String body = EXCHANGE.replace("DISTANCE", "64").replace("BETWEEN", "bar.warp.sync -1;") + """
                BETWEEN
                st.shared.u32 [%r1], %r3;
                """;
        assertThat(fault(checked(), body.replace("BETWEEN", "bar.warp.sync -1;"))).isNull();
        DeviceFault fault = fault(checked(), body.replace("BETWEEN", ""));
        assertFault(fault, Kind.SHARED_RACE, "st.shared.u32 [%r1], %r3;", 0, fault.thread());
        assertThat(fault).hasMessageContaining("is written here and was read by thread " + (fault.thread() + 16));
    }

    /** All lanes read a place and one of them writes there: each of the reads must be known. */
    @ParameterizedTest
    @ValueSource(ints = {0, 1, 13, 31})
    void overwritingWhatAllLanesRead(int writer) {
        String body = """
                setp.eq.s32 %p1, %r10, 7;
                @%p1 st.shared.u32 [16], %r10;
                bar.warp.sync -1;
                ld.shared.u32 %r3, [16];
                BETWEEN
                setp.eq.s32 %p1, %r10, WRITER;
                @%p1 st.shared.u32 [16], %r10;
                """.replace("WRITER", writer + "");
        assertThat(fault(checked(), body.replace("BETWEEN", "bar.warp.sync -1;"), 1, 32)).isNull();
        assertFault(fault(checked(), body.replace("BETWEEN", ""), 1, 32), Kind.SHARED_RACE,
                "@%p1 st.shared.u32 [16], %r10;", 0, writer);
    }

    @Test
    void lanesThatDiverged() {
        DeviceFault fault = fault(checked(), """
                and.b32 %r1, %r10, 1;
                setp.eq.s32 %p1, %r1, 0;
                @%p1 bra EVEN;
                st.shared.u32 [0], 7;
                bra END;
                EVEN:
                ld.shared.u32 %r3, [0];
                END:
                """, 1, 2);
        assertThat(fault.kind()).isIn(Kind.SHARED_RACE, Kind.UNINITIALISED_SHARED);
    }

    @ParameterizedTest
    @CsvSource({"1, true", "4, true", "8, false", "16, false"})
    void partsOfAWarpMeet(int distance, boolean ordered) {
        DeviceFault fault = exchange(distance, """
                mov.u32 %r5, 0xff;
                and.b32 %r6, %r10, 24;
                shl.b32 %r5, %r5, %r6;
                bar.warp.sync %r5;
                """);
        if (ordered) {
            assertThat(fault).isNull();
        } else {
            assertFault(fault, Kind.SHARED_RACE, LOAD, 0, fault.thread());
        }
    }

    /** Lane 0 meets lane 1, and after that lane 1 meets lane 2; in the other order nothing reaches lane 2. */
    @ParameterizedTest
    @CsvSource({"3, 6, true", "6, 3, false"})
    void orderIsCarriedOn(int first, int second, boolean ordered) {
        DeviceFault fault = fault(checked(), """
                setp.eq.s32 %p1, %r10, 0;
                @%p1 st.shared.u32 [0], 7;
                mov.u32 %r5, 1;
                shl.b32 %r5, %r5, %r10;
                and.b32 %r6, %r5, FIRST;
                setp.ne.s32 %p2, %r6, 0;
                @!%p2 bra SKIP_A;
                bar.warp.sync FIRST;
                SKIP_A:
                and.b32 %r6, %r5, SECOND;
                setp.ne.s32 %p2, %r6, 0;
                @!%p2 bra SKIP_B;
                bar.warp.sync SECOND;
                SKIP_B:
                setp.eq.s32 %p1, %r10, 2;
                @%p1 ld.shared.u32 %r3, [0];
                """.replace("FIRST", first + "").replace("SECOND", second + ""), 1, 32);
        if (ordered) {
            assertThat(fault).isNull();
        } else {
            assertFault(fault, Kind.SHARED_RACE, "@%p1 ld.shared.u32 %r3, [0];", 0, 2);
        }
    }

    /** Two of three warps meet; the third one is in no order with them. */
    @ParameterizedTest
    @CsvSource({"32, true", "64, false"})
    void aBarrierOfSomeWarps(int reader, boolean ordered) {
        DeviceFault fault = fault(checked(), """
                setp.eq.s32 %p1, %r10, 0;
                @%p1 st.shared.u32 [0], 7;
                setp.ge.s32 %p2, %r10, 64;
                @%p2 bra THIRD;
                bar.sync 1, 64;
                THIRD:
                setp.eq.s32 %p1, %r10, READER;
                @%p1 ld.shared.u32 %r3, [0];
                """.replace("READER", reader + ""), 1, 96);
        if (ordered) {
            assertThat(fault).isNull();
        } else {
            assertThat(fault.kind()).isIn(Kind.SHARED_RACE, Kind.UNINITIALISED_SHARED);
        }
    }

    /** Which of several values stays is left to chance; the same value does no harm. */
    @Test
    void lanesThatStoreAtOnePlace() {
        assertThat(fault(checked(), "st.shared.v2.u32 [8], {7, 9};", 1, 32)).isNull();
        assertThat(fault(checked(), "st.shared.u16 [8], 7;", 1, 32)).isNull();
        assertThat(fault(checked(), "mov.u64 %rd3, 7;\nst.shared.u64 [8], %rd3;", 1, 32)).isNull();
        String body = "setp.eq.s32 %p1, %r10, 5;\nselp.u32 %r3, 8, 7, %p1;\n";
        DeviceFault fault = fault(checked(), body + "st.shared.v2.u32 [8], {7, %r3};", 1, 32);
        assertFault(fault, Kind.SHARED_RACE, "st.shared.v2.u32 [8], {7, %r3};", 0, 5);
        assertThat(fault).hasMessageContaining("shared byte 8 is written here by thread 0 (warp 0, lane 0) too,"
                + " with another value: which of them stays is not defined");
        assertThat(fault(plain(), body + "st.shared.v2.u32 [8], {7, %r3};", 1, 32)).isNull();
        assertFault(fault(checked(), body + "st.shared.u8 [9], %r3;", 1, 32), Kind.SHARED_RACE, "st.shared.u8", 0, 5);
    }

    /** Neighbours in a word are not in each other's way, nor are bytes that others have written before. */
    @Test
    void smallElementsSideBySide() {
        assertThat(fault(checked(), """
                st.shared.u8 [%r10], %r10;
                shl.b32 %r1, %r10, 1;
                st.shared.u16 [%r1+64], %r10;
                bar.sync 0;
                ld.shared.u8 %r3, [%r10];
                ld.shared.u32 %r3, [64];
                """, 1, 64)).isNull();
    }

    @Test
    void atomicsAndOtherAccesses() {
        String body = """
                setp.eq.s32 %p1, %r10, 0;
                @%p1 st.shared.u32 [0], 0;
                bar.sync 0;
                atom.shared.add.u32 %r3, [0], 1;
                BETWEEN
                @%p1 LOAD %r3, [0];
                """;
        assertThat(fault(checked(), body.replace("BETWEEN", "bar.sync 0;").replace("LOAD", "ld.shared.u32"))).isNull();
        assertThat(fault(checked(), body.replace("BETWEEN", "").replace("LOAD", "ld.volatile.shared.u32"))).isNull();
        DeviceFault fault = fault(checked(), body.replace("BETWEEN", "").replace("LOAD", "ld.shared.u32"));
        assertThat(fault.kind()).isEqualTo(Kind.SHARED_RACE);
        assertThat(fault).hasMessageContaining("atom.shared.add.u32").hasMessageContaining("@%p1 ld.shared.u32");
    }

    @Test
    void exchangesWithLanesThatDoNotTakePart() {
        assertFault(fault(checked(), """
                setp.ge.u32 %p1, %r10, 16;
                @%p1 bra END;
                shfl.sync.bfly.b32 %r3, %r10, 16, 31, 0x0000ffff;
                END:
                """, 1, 32), Kind.DIVERGENT_BARRIER, "shfl.sync.bfly.b32", 0, 0);
        DeviceFault unnamed = fault(checked(), "vote.sync.ballot.b32 %r3, %p1, 0x7fffffff;\n", 1, 32);
        assertFault(unnamed, Kind.DIVERGENT_BARRIER, "vote.sync.ballot.b32", 0, 31);
        assertThat(unnamed).hasMessageContaining("executed by lanes 0xffffffff with the mask 0x7fffffff");
        // Those that have ended are not waited for, and have no value.
        String exited = "setp.eq.s32 %p1, %r10, 9;\n@%p1 ret;\n";
        assertThat(fault(checked(), exited + "vote.sync.ballot.b32 %r3, %p1, -1;\n", 1, 32)).isNull();
        DeviceFault ended = fault(checked(), exited + "shfl.sync.bfly.b32 %r3, %r10, 1, 31, -1;\n", 1, 32);
        assertFault(ended, Kind.DIVERGENT_BARRIER, "shfl.sync.bfly.b32", 0, 8);
        assertThat(ended).hasMessageContaining("takes the value of lane 9, which does not take part");
    }

    @Test
    void matrixInstructionsNeedAllLanes() {
        String mma = "mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 {%f1,%f2,%f3,%f4}, {%r1,%r2}, {%r3}, "
                + "{%f1,%f2,%f3,%f4};";
        assertThat(fault(checked(), mma, 1, 32)).isNull();
        DeviceFault few = fault(checked(), mma, 1, 16);
        assertFault(few, Kind.DIVERGENT_BARRIER, "mma.sync", 0, 0);
        assertThat(few).hasMessageContaining("executed by lanes 0xffff, and all 32 must");
    }

    @Test
    void barriersWithAPredicateOfSomeLanes() {
        DeviceFault fault = fault(checked(), "setp.lt.u32 %p1, %r10, 8;\n@%p1 bar.sync 0;\n", 1, 32);
        assertFault(fault, Kind.DIVERGENT_BARRIER, "@%p1 bar.sync 0;", 0, 0);
        DeviceFault warp = fault(checked(), "setp.lt.u32 %p1, %r10, 8;\n@%p1 bar.warp.sync -1;\n", 1, 32);
        assertFault(warp, Kind.DIVERGENT_BARRIER, "@%p1 bar.warp.sync -1;", 0, 0);
    }
}
