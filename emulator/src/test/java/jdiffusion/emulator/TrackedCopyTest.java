package jdiffusion.emulator;

import static jdiffusion.emulator.Faults.assertFault;
import static jdiffusion.emulator.Faults.checked;
import static jdiffusion.emulator.Faults.fault;
import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashSet;
import java.util.Set;
import jdiffusion.emulator.DeviceFault.Kind;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Copies of threads whose landing is an arrival at a barrier in shared memory, and barriers that are made invalid. */
class TrackedCopyTest {
    private static final int SEEDS = 12;
    /** Each of 32 threads copies a word, and reads that of its neighbour. */
    private static final String COPY = """
            shl.b32 %r1, %r10, 2;
            xor.b32 %r2, %r1, 4;
            cvt.u64.u32 %rd3, %r1;
            add.s64 %rd5, %rd10, %rd3;
            add.s64 %rd6, %rd11, %rd3;
            setp.eq.s32 %p1, %r10, 0;
            @%p1 mbarrier.init.shared.b64 [s+512], 32;
            st.shared.u32 [%r1], 7;
            bar.sync 0;
            cp.async.ca.shared.global [%r1], [%rd5], 4;
            cp.async.mbarrier.arrive.noinc.shared.b64 [s+512];
            """;
    private static final String WAIT = """
            WAIT:
            mbarrier.test_wait.parity.shared.b64 %p2, [s+512], 0;
            @!%p2 bra WAIT;
            """;
    private static final String END = """
            bar.sync 0;
            @%p1 mbarrier.inval.shared.b64 [s+512];
            """;

    /** Words that threads see: 1 is the copy's, 7 what was there before. */
    private static Set<Integer> seen(String body) {
        var all = new HashSet<Integer>();
        PtxProgram program = Bench.kernel(Faults.SHARED, COPY + body + "st.global.u32 [%rd6], %r3;");
        for (int seed = 0; seed < SEEDS; seed++) {
            try (Bench bench = new Bench(Faults.plain().withThreads(1).withSeed(seed))) {
                MemorySegment in = bench.allocate(128);
                MemorySegment out = bench.allocate(128);
                for (int i = 0; i < 32; i++) {
                    in.set(ValueLayout.JAVA_INT, 4L * i, 1);
                }
                bench.launch(program, "k", 1, 32, 0, in, out);
                for (int i = 0; i < 32; i++) {
                    all.add(out.get(ValueLayout.JAVA_INT, 4L * i));
                }
            }
        }
        return all;
    }

    @Test
    void theSeedDecidesWhenTheyLand() {
        assertThat(seen(WAIT + "ld.shared.u32 %r3, [%r2];")).containsExactly(1);
        assertThat(seen("ld.shared.u32 %r3, [%r1];")).containsExactlyInAnyOrder(1, 7);
    }

    @ParameterizedTest
    @ValueSource(strings = {"%r1", "%r2"})
    void earlyReads(String place) {
        for (int seed = 0; seed < SEEDS; seed++) {
            String read = "ld.shared.u32 %r3, [" + place + "];\n";
            assertThat(fault(checked().withSeed(seed), COPY + WAIT + read + END, 1, 32)).isNull();
            DeviceFault fault = fault(checked().withSeed(seed), COPY + read, 1, 32);
            assertFault(fault, Kind.UNFINISHED_COPY, read.strip(), 0, fault.thread());
            assertThat(fault).hasMessageContaining("`cp.async.ca.shared.global [%r1], [%rd5], 4;`");
        }
    }

    /** Who has waited for its own copies has them, with or without the barrier; others have not. */
    @Test
    void otherWaits() {
        for (int seed = 0; seed < SEEDS; seed++) {
            String own = COPY + "cp.async.wait_all;\nld.shared.u32 %r3, [%r1];\n";
            assertThat(fault(checked().withSeed(seed), own + WAIT, 1, 32)).isNull();
            DeviceFault fault = fault(checked().withSeed(seed), own.replace("[%r1];\n", "[%r2];\n"), 1, 32);
            assertThat(fault.kind()).isEqualTo(Kind.SHARED_RACE);
        }
    }

    /** One thread waits, and hands it on to the others by a barrier; without that they are in a race. */
    @ParameterizedTest
    @CsvSource({"bar.sync 0;, true", "'', false"})
    void oneThatWaits(String barrier, boolean ordered) {
        String body = COPY + """
                @!%p1 bra OTHERS;
                WAIT:
                mbarrier.try_wait.parity.shared.b64 %p2, [s+512], 0;
                @!%p2 bra WAIT;
                OTHERS:
                """.replace("try_wait", "test_wait") + barrier + "\nld.shared.u32 %r3, [%r2];\n";
        for (int seed = 0; seed < SEEDS; seed++) {
            DeviceFault fault = fault(checked().withSeed(seed), body, 1, 32);
            assertThat(fault == null).isEqualTo(ordered);
        }
    }

    /** Without {@code .noinc} an arrival is not one of those that the phase takes. */
    @Test
    void arrivalsThatAreNotCounted() {
        String uncounted = COPY.replace(".noinc", "") + "mbarrier.arrive.shared.b64 %rd4, [s+512];\n" + WAIT;
        assertThat(fault(checked(), uncounted, 1, 32)).isNull();
        String untold = uncounted.replace("cp.async.mbarrier.arrive.shared.b64 [s+512];\n", "");
        assertThat(fault(checked(), untold + "ld.shared.u32 %r3, [%r2];", 1, 32).kind())
                .as("nobody has said when they land").isEqualTo(Kind.UNFINISHED_COPY);
        DeviceFault alone = fault(checked(), COPY.replace(".noinc", "") + WAIT, 1, 32);
        assertThat(alone.kind()).as("arrivals that count for nothing end no phase").isEqualTo(Kind.DEADLOCK);
    }

    @Test
    void barriersThatAreMadeInvalid() {
        String all = COPY + WAIT;
        assertThat(fault(checked(), all + END, 1, 32)).isNull();
        String inval = "@%p1 mbarrier.inval.shared.b64 [s+512];";
        // The other warp uses it before or after that.
        DeviceFault race = fault(checked(), all.replace("[s+512], 32;", "[s+512], 64;") + inval, 1, 64);
        assertThat(race.kind()).as(race.getMessage()).isIn(Kind.SHARED_RACE, Kind.BARRIER);
        assertFault(fault(checked(), all + END + inval, 1, 32), Kind.BARRIER, inval, 0, 0);
        DeviceFault used = fault(checked(), all + END + "bar.sync 0;\nmbarrier.arrive.shared.b64 %rd4, [s+512];", 1,
                32);
        assertFault(used, Kind.BARRIER, "mbarrier.arrive.shared.b64", 0, 0);
        assertThat(used).hasMessageContaining("the barrier at shared byte 512 has been made invalid");
        assertThat(fault(checked(), all + END + "bar.sync 0;\n@%p1 mbarrier.init.shared.b64 [s+512], 1;\n"
                + "@%p1 mbarrier.arrive.shared.b64 %rd4, [s+512];", 1, 32)).isNull();
        DeviceFault none = fault(checked(), all + END.replace("512", "0"), 1, 32);
        assertFault(none, Kind.BARRIER, inval.replace("512", "0"), 0, 0);
        assertThat(none).hasMessageContaining("no barrier is at shared byte 0");
        boolean[] early = new boolean[1];
        for (int seed = 0; seed < SEEDS; seed++) {
            DeviceFault fault = fault(checked().withSeed(seed), COPY + END, 1, 32);
            early[0] |= fault != null && String.valueOf(fault.getMessage()).contains("while copies are under way");
        }
        assertThat(early[0]).isTrue();
    }
}
