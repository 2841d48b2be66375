package jdiffusion.emulator;

import static jdiffusion.emulator.Faults.assertFault;
import static jdiffusion.emulator.Faults.checked;
import static jdiffusion.emulator.Faults.fault;
import static jdiffusion.emulator.Faults.plain;
import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashSet;
import java.util.Set;
import jdiffusion.emulator.DeviceFault.Kind;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Asynchronous copies write from their issue on until their thread waits, and a wait counts for that thread alone. */
class CopyRaceTest {
    private static final int SEEDS = 16;
    /** The thread's own 4 bytes of s at %r1, those of the thread 32 further at %r2, the global source in %rd3. */
    private static final String OWN = """
            shl.b32 %r1, %r10, 2;
            xor.b32 %r2, %r1, 128;
            cvt.u64.u32 %rd3, %r1;
            add.s64 %rd3, %rd3, %rd10;
            """;
    private static final String COPY = "cp.async.ca.shared.global [%r1], [%rd3], 4;\n";

    /** A double buffer of one stage too few: the next tile is asked for while the other warp still reads this one. */
    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3, 4, 5, 6, 7})
    void overwritingWhatOthersStillRead(long seed) {
        String body = OWN + """
                st.shared.u32 [%r1], %r1;
                bar.sync 0;
                ld.shared.u32 %r3, [%r2];
                BARRIER
                cp.async.ca.shared.global [%r1], [%rd3], 4;
                cp.async.commit_group;
                cp.async.wait_group 0;
                bar.sync 0;
                ld.shared.u32 %r3, [%r2];
                """;
        assertThat(fault(checked().withSeed(seed), body.replace("BARRIER", "bar.sync 0;"))).isNull();
        DeviceFault fault = fault(checked().withSeed(seed), body.replace("BARRIER", ""));
        // The second warp reads what the first one has copied.
        assertFault(fault, Kind.SHARED_RACE, "ld.shared.u32 %r3, [%r2];", 0, fault.thread());
        assertThat(fault).hasMessageContaining("is read here and was written by thread " + (32 - fault.thread())
                + " (warp " + (1 - fault.thread() / 32) + ", lane 0) at line ")
                .hasMessageContaining("`cp.async.ca.shared.global [%r1], [%rd3], 4;` with no barrier between");
    }

    /** The same with the wait after another barrier: the copy is under way while it is read. */
    @Test
    void theIssueIsWhereTheWriteBegins() {
        Set<Kind> kinds = new HashSet<>();
        for (int seed = 0; seed < SEEDS; seed++) {
            DeviceFault fault = fault(checked().withSeed(seed), OWN + """
                    st.shared.u32 [%r1], %r1;
                    bar.sync 0;
                    setp.lt.u32 %p1, %r10, 32;
                    @%p1 ld.shared.u32 %r3, [%r2];
                    @!%p1 cp.async.ca.shared.global [%r1], [%rd3], 4;
                    bar.sync 0;
                    @!%p1 cp.async.wait_all;
                    """, 1, 64);
            kinds.add(fault.kind());
            if (fault.kind() == Kind.SHARED_RACE) {
                assertFault(fault, Kind.SHARED_RACE, "@!%p1 cp.async.ca.shared.global", 0, 32);
                assertThat(fault).hasMessageContaining("may be written from here on and was read by thread 0 (warp 0, "
                        + "lane 0) at line " + (fault.line() - 1) + " `@%p1 ld.shared.u32 %r3, [%r2];`");
            } else {
                assertFault(fault, Kind.UNFINISHED_COPY, "@%p1 ld.shared.u32 %r3, [%r2];", 0, 0);
                assertThat(fault).hasMessageContaining("is read here while the copy of thread 32 (warp 1, lane 0) at "
                        + "line " + (fault.line() + 1) + " `@!%p1 cp.async");
            }
        }
        assertThat(kinds).containsExactlyInAnyOrder(Kind.SHARED_RACE, Kind.UNFINISHED_COPY);
    }

    @ParameterizedTest
    @ValueSource(strings = {"cp.async.ca.shared.global [%r1], [%rd3], 4;",
        "cp.async.ca.shared.global [%r1], [%rd3], 4, 0;", "cp.async.ca.shared.global [%r1], [%rd3], 4, %p1;"})
    void missingWait(String copy) {
        String body = OWN + "setp.ge.s32 %p1, %r10, 0;\n" + copy + """

                cp.async.commit_group;
                WAIT
                ld.shared.u32 %r3, [%r1];
                """;
        assertThat(fault(checked(), body.replace("WAIT", "cp.async.wait_group 0;"))).isNull();
        DeviceFault fault = fault(checked(), body.replace("WAIT", ""));
        assertFault(fault, Kind.UNFINISHED_COPY, "ld.shared.u32 %r3, [%r1];", 0, fault.thread());
        assertThat(fault).hasMessageContaining("the copy of thread " + fault.thread())
                .hasMessageContaining("`" + copy + "`");
    }

    /** What is written while a copy is under way may be lost. */
    @Test
    void storingToWhereACopyIsUnderWay() {
        DeviceFault fault = fault(checked(), OWN + COPY + "st.shared.u32 [%r1], %r1;\n");
        assertFault(fault, Kind.UNFINISHED_COPY, "st.shared.u32 [%r1], %r1;", 0, fault.thread());
    }

    @Test
    void aWaitForAllButTheLastGroupLeavesTheLast() {
        String body = OWN + COPY + """
                cp.async.commit_group;
                cp.async.ca.shared.global [%r1+256], [%rd3], 4;
                cp.async.commit_group;
                cp.async.wait_group 1;
                ld.shared.u32 %r3, [%r1];
                ld.shared.u32 %r3, [%r1+256];
                """;
        DeviceFault fault = fault(checked(), body);
        assertFault(fault, Kind.UNFINISHED_COPY, "ld.shared.u32 %r3, [%r1+256];", 0, fault.thread());
        DeviceFault open = fault(checked(), OWN + COPY + "cp.async.wait_group 0;\nld.shared.u32 %r3, [%r1];\n");
        // Nobody has committed it to a group.
        assertFault(open, Kind.UNFINISHED_COPY, "ld.shared.u32 %r3, [%r1];", 0, open.thread());
    }

    @Test
    void theWaitOfAnotherThreadDoesNotCount() {
        String body = OWN + COPY + """
                setp.lt.u32 %p1, %r10, 32;
                WAIT
                bar.sync 0;
                ld.shared.u32 %r3, [%r2];
                """;
        assertThat(fault(checked(), body.replace("WAIT", "cp.async.wait_all;"))).isNull();
        DeviceFault fault = fault(checked(), body.replace("WAIT", "@%p1 cp.async.wait_all;"));
        assertFault(fault, Kind.UNFINISHED_COPY, "ld.shared.u32 %r3, [%r2];", 0, 0);
        assertThat(fault).hasMessageContaining("the copy of thread 32 (warp 1, lane 0)");
    }

    @Test
    void whatWasWaitedForIsThereForTheOwnThreadAlone() {
        DeviceFault warps = fault(checked(), OWN + COPY + "cp.async.wait_all;\nld.shared.u32 %r3, [%r1];\n"
                + "ld.shared.u32 %r3, [%r2];\nbar.sync 0;\n");
        assertThat(warps.kind()).isIn(Kind.SHARED_RACE, Kind.UNINITIALISED_SHARED);
        assertFault(warps, warps.kind(), "ld.shared.u32 %r3, [%r2];", 0, warps.thread());
        String body = OWN + COPY + "cp.async.wait_all;\nBARRIER\nxor.b32 %r4, %r1, 4;\nld.shared.u32 %r3, [%r4];\n";
        assertThat(fault(checked(), body.replace("BARRIER", "bar.warp.sync -1;"))).isNull();
        DeviceFault lanes = fault(checked(), body.replace("BARRIER", ""));
        assertFault(lanes, Kind.SHARED_RACE, "ld.shared.u32 %r3, [%r4];", 0, lanes.thread());
        assertThat(lanes).hasMessageContaining("with no bar.warp.sync or other barrier between");
    }

    /** No two copies are in order before they are waited for, not even those of one thread. */
    @Test
    void twoCopiesToOnePlace() {
        DeviceFault lanes = fault(checked(), OWN + "and.b32 %r1, %r1, 124;\n" + COPY + "cp.async.wait_all;\n");
        assertThat(lanes.kind()).isIn(Kind.SHARED_RACE, Kind.UNFINISHED_COPY);
        assertThat(lanes.line()).isEqualTo(fault(checked(), OWN + "shr.u32 %r1, %r1, 4;\nshl.b32 %r1, %r1, 2;\n"
                + COPY).line() - 1);
        DeviceFault one = fault(checked(), OWN + COPY + "cp.async.commit_group;\n" + COPY);
        assertFault(one, Kind.UNFINISHED_COPY, COPY.strip(), 0, one.thread());
        assertThat(one).hasMessageContaining("may be written from here on while the copy of thread " + one.thread())
                .hasMessageContaining("at line " + (one.line() - 2));
        assertThat(fault(checked(), OWN + COPY + "cp.async.wait_all;\n" + COPY)).isNull();
    }

    @Test
    void matricesThatAreUnderWay() {
        String body = """
                shl.b32 %r1, %r10, 4;
                and.b32 %r2, %r1, 256;
                cvt.u64.u32 %rd3, %r2;
                add.s64 %rd3, %rd3, %rd10;
                cp.async.cg.shared.global [%r1], [%rd3], 16;
                cp.async.commit_group;
                cp.async.wait_group PENDING;
                bar.sync 0;
                ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r3, %r4, %r5, %r6}, [%r1];
                """;
        assertThat(fault(checked(), body.replace("PENDING", "0"))).isNull();
        DeviceFault fault = fault(checked(), body.replace("PENDING", "1"));
        assertFault(fault, Kind.UNFINISHED_COPY, "ldmatrix", 0, fault.thread());
    }

    @Test
    void aSourceLargerThanTheCopy() {
        for (String size : new String[] {"5", "-1"}) {
            DeviceFault fault = fault(plain(), OWN + "mov.u32 %r5, " + size
                    + ";\ncp.async.ca.shared.global [%r1], [%rd3], 4, %r5;\n", 1, 32);
            assertFault(fault, Kind.OUT_OF_BOUNDS, "cp.async.ca", 0, 0);
            assertThat(fault).hasMessageContaining("the source's size is " + size + ", and the copy's 4 bytes");
        }
    }

    /**
     * Copies 16 bytes a thread of which 8 come from memory, and 16 more; reads before it waits for the second ones,
     * which may be there or not, and after.
     */
    @Test
    void theSeedDecidesWhenACopyLands() {
        PtxProgram program = Bench.kernel(".shared .align 16 .b8 s[2048];", """
                mov.u32 %r1, s;
                shl.b32 %r2, %r10, 4;
                add.s32 %r3, %r1, %r2;
                cvt.u64.u32 %rd12, %r2;
                add.s64 %rd10, %rd10, %rd12;
                add.s64 %rd11, %rd11, %rd12;
                mov.u32 %r4, -1;
                st.shared.v4.u32 [%r3], {%r4, %r4, %r4, %r4};
                st.shared.v4.u32 [%r3+1024], {%r4, %r4, %r4, %r4};
                mov.u32 %r5, 8;
                cp.async.ca.shared.global.L2::128B [%r3], [%rd10], 16, %r5;
                cp.async.commit_group;
                cp.async.cg.shared.global [%r3+1024], [%rd10], 16;
                cp.async.commit_group;
                ld.shared.u32 %r6, [%r3+1024];
                cp.async.wait_group 1;
                bar.sync 0;
                ld.shared.u32 %r7, [%r3+4];
                ld.shared.u32 %r8, [%r3+12];
                ld.shared.u32 %r9, [%r3+1024];
                cp.async.wait_all;
                ld.shared.u32 %r11, [%r3+1036];
                add.s32 %r7, %r7, %r11;
                st.global.v4.u32 [%rd11], {%r6, %r7, %r8, %r9};
                """);
        int[] values = new int[256];
        for (int i = 0; i < values.length; i++) {
            values[i] = i * 7;
        }
        // Whether the copy was there when it was read first, and when it was read after the barrier.
        Set<String> seen = new HashSet<>();
        for (int seed = 0; seed < SEEDS; seed++) {
            try (Bench bench = new Bench(plain().withThreads(1).withSeed(seed))) {
                MemorySegment out = bench.allocate(1024);
                bench.launch(program, "k", 1, 64, 0, bench.ints(values), out);
                for (int lane = 0; lane < 64; lane++) {
                    int[] got = out.asSlice(16L * lane, 16).toArray(ValueLayout.JAVA_INT);
                    assertThat(got[1]).isEqualTo(values[4 * lane + 1] + values[4 * lane + 3]);
                    assertThat(got[2]).isZero();
                    assertThat(got[0]).isIn(-1, values[4 * lane]);
                    assertThat(got[3]).isIn(-1, values[4 * lane]);
                    seen.add((got[0] != -1) + ", " + (got[3] != -1));
                }
            }
        }
        assertThat(seen).containsExactlyInAnyOrder("true, true", "false, true", "false, false");
    }
}
