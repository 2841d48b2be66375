package jdiffusion.emulator;

import static org.assertj.core.api.Assertions.assertThat;

import jdiffusion.emulator.KernelCounters.InstructionClass;
import jdiffusion.emulator.KernelCounters.Line;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;

class KernelCountersTest {

    private static KernelCounters count(String declarations, String body, int blocks, int threads) {
        PtxProgram program = Bench.kernel(declarations, body);
        try (Bench bench = new Bench(EmulatorOptions.defaults().withProfile(true).withThreads(2))) {
            MemorySegment memory = bench.allocate(8192);
            bench.launch(program, "k", blocks, threads, 0, memory, memory);
            return bench.executor().counters().get("k");
        }
    }

    private static Line line(KernelCounters counters, String text) {
        return counters.lines().values().stream().filter(l -> l.text.startsWith(text)).findFirst().orElseThrow();
    }

    @Test
    void globalSectors() {
        KernelCounters counters = count("", """
                mul.wide.u32 %rd1, %r10, 4;
                add.s64 %rd2, %rd10, %rd1;
                ld.global.u32 %r1, [%rd2];
                mul.wide.u32 %rd1, %r10, 64;
                add.s64 %rd3, %rd10, %rd1;
                st.global.v4.u32 [%rd3], {%r1, %r1, %r1, %r1};
                """, 3, 64);
        var read = line(counters, "ld.global").traffic;
        assertThat(read.globalRequests).isEqualTo(6);
        assertThat(read.globalSectors).isEqualTo(24);
        assertThat(read.globalIdealSectors).isEqualTo(24);
        assertThat(counters.traffic().globalSectorsRead).isEqualTo(24);
        assertThat(read.globalBytesRead).isEqualTo(6 * 128);
        var written = line(counters, "st.global").traffic;
        assertThat(written.globalSectors).isEqualTo(6 * 32);
        assertThat(written.globalIdealSectors).isEqualTo(6 * 16);
        assertThat(written.globalBytesWritten).isEqualTo(6 * 512);
        assertThat(counters.traffic().globalRequests).isEqualTo(12);
        assertThat(counters.blocks()).isEqualTo(3);
        assertThat(counters.launches()).isEqualTo(1);
        assertThat(counters.instructions(InstructionClass.GLOBAL)).isEqualTo(12);
    }

    /** Lanes that read together need their bytes once; the ratio to the ideal is never below 1. */
    @Test
    void lanesThatShareBytes() {
        KernelCounters counters = count("", """
                ld.global.u32 %r1, [%rd10];
                shr.b32 %r2, %r10, 1;
                mul.wide.u32 %rd1, %r2, 64;
                add.s64 %rd2, %rd10, %rd1;
                ld.global.v2.u32 {%r3, %r4}, [%rd2];
                """, 1, 32);
        var broadcast = line(counters, "ld.global.u32").traffic;
        assertThat(broadcast.globalSectors).isEqualTo(1);
        assertThat(broadcast.globalIdealSectors).isEqualTo(1);
        assertThat(broadcast.globalBytesRead).isEqualTo(128);
        var pairs = line(counters, "ld.global.v2").traffic;
        assertThat(pairs.globalSectors).isEqualTo(16);
        assertThat(pairs.globalIdealSectors).as("16 x 8 bytes").isEqualTo(4);
    }

    @Test
    void bankConflicts() {
        KernelCounters counters = count(".shared .align 16 .b8 s[8192];", """
                shl.b32 %r1, %r10, 2;
                shl.b32 %r2, %r10, 3;
                shl.b32 %r3, %r10, 4;
                shl.b32 %r4, %r10, 7;
                mov.u32 %r5, 0;
                st.shared.u32 [%r1], %r1;
                st.shared.u16 [%r2], %r1;
                st.shared.u8 [%r4], %r1;
                ld.shared.f32 %f1, [%r5];
                ld.shared.v2.u32 {%r6, %r7}, [%r2];
                ld.shared.v4.u32 {%r6, %r7, %r8, %r9}, [%r3];
                ld.shared.v4.f32 {%f1, %f2, %f3, %f4}, [%r4];
                ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r6, %r7, %r8, %r9}, [%r3];
                ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%r6, %r7}, [%r4];
                """.replace("st.shared.u16 [%r2], %r1", "st.shared.u32 [%r2], %r1")
                        .replace("st.shared.u8 [%r4]", "st.shared.u32 [%r4]"), 1, 32);
        assertThat(conflicts(counters, "st.shared.u32 [%r1]")).isZero();
        assertThat(conflicts(counters, "st.shared.u32 [%r2]")).isEqualTo(1);
        assertThat(conflicts(counters, "st.shared.u32 [%r4]")).isEqualTo(31);
        assertThat(conflicts(counters, "ld.shared.f32")).isZero();
        assertThat(conflicts(counters, "ld.shared.v2")).isZero();
        assertThat(conflicts(counters, "ld.shared.v4.u32")).isZero();
        assertThat(conflicts(counters, "ld.shared.v4.f32")).isEqualTo(4 * 7);
        assertThat(conflicts(counters, "ldmatrix.sync.aligned.m8n8.x4")).isZero();
        assertThat(conflicts(counters, "ldmatrix.sync.aligned.m8n8.x2")).isEqualTo(2 * 7);
        assertThat(counters.traffic().sharedRequests).isEqualTo(9);
        assertThat(wavefronts(counters, "st.shared.u32 [%r1]")).isEqualTo(1);
        assertThat(wavefronts(counters, "st.shared.u32 [%r2]")).isEqualTo(2);
        assertThat(wavefronts(counters, "st.shared.u32 [%r4]")).isEqualTo(32);
        assertThat(wavefronts(counters, "ld.shared.f32")).as("all lanes read one word").isEqualTo(1);
        assertThat(wavefronts(counters, "ld.shared.v2")).as("two halves of a warp").isEqualTo(2);
        assertThat(wavefronts(counters, "ld.shared.v4.u32")).as("four quarters").isEqualTo(4);
        assertThat(wavefronts(counters, "ld.shared.v4.f32")).isEqualTo(4 * 8);
        assertThat(wavefronts(counters, "ldmatrix.sync.aligned.m8n8.x4")).isEqualTo(4);
        assertThat(wavefronts(counters, "ldmatrix.sync.aligned.m8n8.x2")).isEqualTo(2 * 8);
        assertThat(counters.traffic().sharedWavefronts).isEqualTo(1 + 2 + 32 + 1 + 2 + 4 + 32 + 4 + 16);
        assertThat(counters.instructions(InstructionClass.LDMATRIX)).isEqualTo(2);
        assertThat(counters.instructions(InstructionClass.SHARED)).isEqualTo(7);
    }

    /** A quarter of a warp without an active lane takes no cycle; a copy's write counts like a store of 16 bytes. */
    @Test
    void wavefrontsOfLanesThatTakePart() {
        KernelCounters counters = count(".shared .align 16 .b8 s[8192];", """
                shl.b32 %r1, %r10, 4;
                cvt.u64.u32 %rd1, %r1;
                add.s64 %rd2, %rd10, %rd1;
                cp.async.cg.shared.global [%r1], [%rd2], 16;
                cp.async.commit_group;
                cp.async.wait_group 0;
                setp.lt.u32 %p1, %r10, 12;
                @%p1 ld.shared.v4.u32 {%r6, %r7, %r8, %r9}, [%r1];
                """, 1, 32);
        assertThat(wavefronts(counters, "cp.async.cg")).isEqualTo(4);
        assertThat(wavefronts(counters, "@%p1 ld.shared.v4")).isEqualTo(2);
        assertThat(line(counters, "cp.async.cg").traffic.globalSectorsRead).isEqualTo(16);
    }

    private static long wavefronts(KernelCounters counters, String text) {
        return line(counters, text).traffic.sharedWavefronts;
    }

    private static long conflicts(KernelCounters counters, String text) {
        return line(counters, text).traffic.sharedConflictCycles;
    }

    @Test
    void executionsByLineAndClass() {
        KernelCounters counters = count("", """
                mov.u32 %r1, 0;
                LOOP:
                add.s32 %r1, %r1, 1;
                mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%f1,%f2,%f3,%f4}, {%r2,%r3,%r4,%r5},
                    {%r6,%r7}, {%f1,%f2,%f3,%f4};
                fma.rn.f32 %f5, %f1, %f2, %f3;
                setp.lt.s32 %p1, %r1, 5;
                @%p1 bra LOOP;
                bar.sync 0;
                """, 2, 64);
        assertThat(line(counters, "add.s32 %r1").executions).isEqualTo(20);
        assertThat(line(counters, "mma").executions).isEqualTo(20);
        assertThat(line(counters, "bar.sync").executions).isEqualTo(4);
        assertThat(counters.mmaFlops()).isEqualTo(20 * 4096);
        assertThat(counters.instructions(InstructionClass.MMA)).isEqualTo(20);
        assertThat(counters.instructions(InstructionClass.FLOAT)).isEqualTo(20);
        assertThat(counters.instructions(InstructionClass.CONTROL)).isEqualTo(24);
        assertThat(counters.instructions(InstructionClass.BARRIER)).isEqualTo(4);
    }

    /** A quarter of the lanes goes one way, and a barrier of a part of a warp is counted once. */
    @Test
    void lanesThatPart() {
        KernelCounters counters = count("", """
                and.b32 %r1, %r10, 3;
                setp.ne.s32 %p1, %r1, 0;
                @%p1 bra OTHER;
                add.s32 %r2, %r1, 1;
                bra DONE;
                OTHER:
                add.s32 %r2, %r1, 2;
                DONE:
                shfl.sync.idx.b32 %r3, %r2, 0, 31, -1;
                setp.lt.u32 %p1, %r10, 32;
                @%p1 bra END;
                mul.lo.s32 %r3, %r3, 3;
                END:
                bar.sync 0;
                """, 3, 64);
        assertThat(line(counters, "@%p1 bra OTHER").partings).isEqualTo(6);
        assertThat(line(counters, "@%p1 bra END").partings).isZero();
        assertThat(line(counters, "add.s32 %r2, %r1, 1").activeLanes()).isEqualTo(8);
        assertThat(line(counters, "add.s32 %r2, %r1, 2").activeLanes()).isEqualTo(24);
        assertThat(line(counters, "shfl").activeLanes()).isEqualTo(32);
        assertThat(line(counters, "shfl").executions).isEqualTo(6);
        assertThat(counters.partings()).isEqualTo(6);
        Line barrier = line(counters, "bar.sync");
        assertThat(barrier.openings).isEqualTo(3);
        assertThat(barrier.slowestToBarrier - barrier.instructionsToBarrier).as("one warp multiplies").isEqualTo(3);
    }

    @Test
    void theWorstRequestIsKept() {
        KernelCounters counters = count(".shared .align 16 .b8 first[64];\n.shared .align 16 .b8 s[8192];", """
                mov.u32 %r1, s;
                shl.b32 %r2, %r10, 7;
                and.b32 %r2, %r2, 4095;
                add.s32 %r1, %r1, %r2;
                st.shared.u32 [%r1], %r1;
                st.shared.u32 [first], %r1;
                """, 1, 64);
        SharedRequest worst = line(counters, "st.shared.u32 [%r1]").worst;
        assertThat(worst.conflicts()).isEqualTo(31);
        assertThat(worst.bytes()).isEqualTo(4);
        assertThat(worst.mask()).isEqualTo(-1);
        assertThat(worst.addresses()[3] - worst.addresses()[1]).isEqualTo(256);
        assertThat(line(counters, "st.shared.u32 [first]").worst.conflicts()).isZero();
        assertThat(counters.sharedArrays()).extracting(SharedArray::name).containsExactly("first", "s");
        assertThat(counters.sharedArrays()).extracting(SharedArray::offset).containsExactly(0, 64);
    }

    @Test
    void partOfAGrid() {
        PtxProgram program = Bench.kernel("", "mov.u32 %r1, 0;");
        try (Bench bench = new Bench(EmulatorOptions.defaults().withProfile(true))) {
            bench.executor().launchBlocks(program.kernel("k"), new Dim3(100, 100, 10), new Dim3(32, 1, 1), 0,
                    bench.arguments(0L, 0L), 5000, 7);
            assertThat(bench.executor().counters().get("k").blocks()).isEqualTo(7);
        }
    }
}
