package jdiffusion.emulator;

import static jdiffusion.emulator.Faults.INDEX;
import static jdiffusion.emulator.Faults.SHARED;
import static jdiffusion.emulator.Faults.assertFault;
import static jdiffusion.emulator.Faults.checked;
import static jdiffusion.emulator.Faults.fault;
import static jdiffusion.emulator.Faults.plain;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import jdiffusion.emulator.DeviceFault.Kind;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A planted bug of each class; each must be reported with kernel, line, block and thread. */
class FaultTest {
    @Test
    void readOutOfBounds() {
        DeviceFault fault = fault(plain(), "ld.global.u32 %r1, [%rd1+244];\nst.global.u32 [%rd2], %r1;");
        assertFault(fault, Kind.OUT_OF_BOUNDS, "ld.global.u32 %r1, [%rd1+244];", 1, fault.thread());
        assertThat(fault.thread()).isIn(3, 32);
        assertThat(fault).hasMessageContaining("read of 4 bytes at global address 0x")
                .hasMessageContaining("bytes after the end of the nearest allocation [0x")
                .hasMessageContaining("512 bytes]");
    }

    @Test
    void writeOutOfBounds() {
        DeviceFault fault = fault(plain(), """
                setp.ne.s32 %p1, %r10, 37;
                @%p1 bra END;
                st.global.v2.u32 [%rd10+-8], {%r10, %r10};
                END:
                """);
        assertFault(fault, Kind.OUT_OF_BOUNDS, "st.global.v2.u32 [%rd10+-8]", 0, 37);
        assertThat(fault).hasMessageContaining("write of 8 bytes").hasMessageContaining("8 bytes before");
    }

    @Test
    void sharedMemoryOutOfBounds() {
        DeviceFault fault = fault(plain(), "shl.b32 %r1, %r10, 4;\nst.shared.u32 [%r1+20], %r1;");
        assertThat(fault.thread()).isIn(63);
        assertFault(fault, Kind.OUT_OF_BOUNDS, "st.shared.u32 [%r1+20], %r1;", 0, 63);
        assertThat(fault).hasMessageContaining("shared address 1028, the block has 1024 bytes");
    }

    @Test
    void misaligned() {
        DeviceFault fault = fault(plain(), """
                and.b32 %r1, %r10, 5;
                cvt.u64.u32 %rd3, %r1;
                add.s64 %rd3, %rd3, %rd10;
                setp.gt.u32 %p1, %r10, 31;
                @!%p1 ld.global.u32 %r2, [%rd3];
                """);
        assertFault(fault, Kind.MISALIGNED, "@!%p1 ld.global.u32 %r2, [%rd3];", 0, 1);
        DeviceFault shared = fault(plain(), "mov.u32 %r1, 8;\nld.shared.v4.u32 {%r2, %r3, %r4, %r5}, [%r1];", 1, 1);
        assertFault(shared, Kind.MISALIGNED, "ld.shared.v4.u32", 0, 0);
    }

    @Test
    void asynchronousCopyOutOfBounds() {
        DeviceFault fault = fault(plain(), """
                shl.b32 %r1, %r10, 4;
                setp.lt.u32 %p1, %r10, 10;
                selp.b32 %r2, 16, 0, %p1;
                add.s64 %rd3, %rd10, 368;
                cvt.u64.u32 %rd4, %r1;
                add.s64 %rd3, %rd3, %rd4;
                cp.async.cg.shared.global [%r1], [%rd3], 16, %r2;
                """, 1, 32);
        assertFault(fault, Kind.OUT_OF_BOUNDS, "cp.async.cg.shared.global [%r1], [%rd3], 16, %r2;", 0, 9);
    }

    @Test
    void readOfUninitialisedSharedMemory() {
        String body = """
                shl.b32 %r1, %r10, 2;
                setp.eq.s32 %p1, %r10, 5;
                @!%p1 st.shared.u32 [%r1], %r1;
                ld.shared.u32 %r2, [%r1];
                """;
        assertFault(fault(checked(), body, 1, 32), Kind.UNINITIALISED_SHARED, "ld.shared.u32 %r2, [%r1];", 0, 5);
        assertThat(fault(plain(), body, 1, 32)).isNull();
    }

    @Test
    void readOfAByteThatWasNotInitialised() {
        DeviceFault fault = fault(checked(), """
                st.shared.u16 [0], 1;
                st.shared.u8 [2], 1;
                ld.shared.u32 %r2, [0];
                """, 1, 1);
        assertFault(fault, Kind.UNINITIALISED_SHARED, "ld.shared.u32 %r2, [0];", 0, 0);
        assertThat(fault).hasMessageContaining("shared byte 3");
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3, 4, 5, 6, 7})
    void missingBarrierIsARaceUnderEverySeed(long seed) {
        String body = """
                shl.b32 %r1, %r10, 2;
                st.shared.u32 [%r1], %r1;
                BARRIER
                xor.b32 %r2, %r1, 128;
                ld.shared.u32 %r3, [%r2];
                bar.sync 0;
                st.shared.u32 [%r1], %r3;
                """;
        EmulatorOptions options = checked().withSeed(seed);
        assertThat(fault(options, body.replace("BARRIER", "bar.sync 0;"))).isNull();
        DeviceFault fault = fault(options, body.replace("BARRIER", ""));
        // Whichever warp comes first reads what the other one has not written yet.
        assertThat(fault.kind()).isIn(Kind.SHARED_RACE, Kind.UNINITIALISED_SHARED);
        assertFault(fault, fault.kind(), "ld.shared.u32 %r3, [%r2];", 0, fault.thread());
    }

    @Test
    void overwritingWhatAnotherWarpReadIsARace() {
        DeviceFault fault = fault(checked(), """
                shl.b32 %r1, %r10, 2;
                st.shared.u32 [%r1], %r1;
                bar.sync 0;
                xor.b32 %r2, %r1, 128;
                ld.shared.u32 %r3, [%r2];
                st.shared.u32 [%r1], %r3;
                """);
        assertThat(fault.thread()).isIn(0, 32);
        // The second warp reads what the first one has already replaced.
        assertFault(fault, Kind.SHARED_RACE, "ld.shared.u32 %r3, [%r2];", 0, fault.thread());
        assertThat(fault).hasMessageContaining("was written by thread " + (32 - fault.thread()) + " (warp")
                .hasMessageContaining("at line " + (fault.line() + 1) + " `st.shared.u32 [%r1], %r3;` with no barrier");
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3})
    void writingWhatAnotherWarpReadsIsARaceInEitherOrder(long seed) {
        DeviceFault fault = fault(checked().withSeed(seed), """
                shl.b32 %r1, %r10, 2;
                st.shared.u32 [%r1], %r1;
                bar.sync 0;
                setp.lt.u32 %p1, %r10, 32;
                @%p1 ld.shared.u32 %r3, [%r1+128];
                @!%p1 st.shared.u32 [%r1], %r10;
                """);
        boolean readLast = fault.getMessage().contains("is read here");
        assertFault(fault, Kind.SHARED_RACE, readLast ? "@%p1 ld.shared.u32" : "@!%p1 st.shared.u32", 0,
                readLast ? 0 : 32);
    }

    @Test
    void barrierInsideADivergentBranch() {
        String body = """
                and.b32 %r1, %r10, 1;
                setp.eq.s32 %p1, %r1, 0;
                @%p1 bra SKIP;
                bar.sync 0;
                SKIP:
                """;
        DeviceFault fault = fault(checked(), body, 1, 32);
        assertFault(fault, Kind.DIVERGENT_BARRIER, "bar.sync 0;", 0, fault.thread());
    }

    @Test
    void barrierReachedByPartOfTheWarps() {
        DeviceFault fault = fault(checked(), """
                setp.lt.u32 %p1, %r10, 32;
                @%p1 ret;
                bar.sync 0;
                """);
        assertFault(fault, Kind.DIVERGENT_BARRIER, "bar.sync 0;", 0, 32);
        assertThat(fault).hasMessageContaining("32 of the block's 64 threads");
    }

    @Test
    void barriersAtDifferentPlaces() {
        DeviceFault fault = fault(checked(), """
                setp.lt.u32 %p1, %r10, 32;
                @%p1 bra OTHER;
                bar.sync 0;
                ret;
                OTHER:
                bar.sync 0;
                """);
        assertFault(fault, Kind.DIVERGENT_BARRIER, "bar.sync 0;", 0, fault.thread());
        assertThat(fault).hasMessageContaining("waits at line");
    }

    @Test
    void barriersThatNeverOpen() {
        DeviceFault fault = fault(plain(), """
                setp.lt.u32 %p1, %r10, 32;
                @%p1 bra OTHER;
                bar.sync 0;
                ret;
                OTHER:
                bar.sync 1;
                """);
        assertFault(fault, Kind.DEADLOCK, "bar.sync", 0, fault.thread());
    }

    @Test
    void trap() {
        assertFault(fault(plain(), "setp.eq.s32 %p1, %r10, 40;\n@%p1 trap;"), Kind.TRAP, "@%p1 trap;", 0, 40);
    }

    @Test
    void badLaunches() {
        PtxProgram program = Bench.kernel("", "");
        try (Bench bench = Bench.plain()) {
            DeviceFault large = catchThrowableOfType(DeviceFault.class,
                    () -> bench.launch(program, "k", 1, 2000, 0, 0L, 0L));
            assertThat(large.kind()).isEqualTo(Kind.BAD_LAUNCH);
            assertThat(large).hasMessageContaining("1024 threads");
            DeviceFault few = catchThrowableOfType(DeviceFault.class, () -> bench.executor().launch(program.kernel("k"),
                    new Dim3(1, 1, 1), new Dim3(1, 1, 1), 0, bench.allocate(8)));
            assertThat(few).hasMessageContaining("8 bytes of parameters, the kernel has 16");
        }
    }

    @Test
    void freedMemoryIsNotAccessible() {
        PtxProgram program = Bench.kernel(SHARED, INDEX + "ld.global.u32 %r1, [%rd1];");
        try (Bench bench = Bench.plain()) {
            MemorySegment in = bench.allocate(512);
            bench.launch(program, "k", 1, 64, 0, in, in);
            bench.memory().remove(in.address());
            assertThat(catchThrowableOfType(DeviceFault.class, () -> bench.launch(program, "k", 1, 64, 0, in, in)))
                    .hasMessageContaining("nothing is allocated");
        }
    }

    /** The checker tells instructions apart by as many bits as the launch's threads leave. */
    @Test
    void aKernelOfManyInstructions() {
        String body = "add.s32 %r1, %r1, 1;\n".repeat(70_000) + """
                mov.u32 %r2, s;
                st.shared.u32 [%r2], %r10;
                """;
        DeviceFault race = fault(checked(), body);
        assertThat(race).isNotNull();
        assertThat(race.kind()).as(race.getMessage()).isEqualTo(Kind.SHARED_RACE);
        assertThat(race.line()).isGreaterThan(70_000);
    }
}
