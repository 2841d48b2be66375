package jdiffusion.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jdiffusion.emulator.DeviceFault.Kind;
import jdiffusion.emulator.KernelCounters.InstructionClass;
import jdiffusion.emulator.KernelCounters.Traffic;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Barriers in shared memory that count arrivals and bytes, and bulk copies of bytes in a row. */
class BulkCopyTest {
    private static final String SHARED = ".shared .align 16 .b8 s[4096];\n.shared .align 8 .b64 bar;\n";

    /** Runs one thread; the body's results are %r0 to %r7. */
    private static int[] results(String body) {
        var all = new StringBuilder(body);
        for (int i = 0; i < 8; i++) {
            all.append("\nst.global.u32 [%rd11+").append(4 * i).append("], %r").append(i).append(';');
        }
        try (Bench bench = Bench.checked()) {
            MemorySegment out = bench.allocate(32);
            bench.launch(Bench.hopper(SHARED, all.toString()), "k", 1, 1, 0, out, out);
            return out.toArray(ValueLayout.JAVA_INT);
        }
    }

    private static String test(String result, String which) {
        return "mbarrier.test_wait." + which + ";\nselp.u32 " + result + ", 1, 0, %p1;\n";
    }

    @Test
    void arrivalsAndTokens() {
        assertThat(results("mbarrier.init.shared::cta.b64 [bar], 3;\n"
                + "mbarrier.arrive.shared::cta.b64 %rd1, [bar];\n"
                + "mbarrier.pending_count.b64 %r0, %rd1;\n"
                + test("%r1", "shared::cta.b64 %p1, [bar], %rd1")
                + "mbarrier.arrive.release.cta.shared::cta.b64 _, [bar], 2;\n"
                + test("%r2", "shared::cta.b64 %p1, [bar], %rd1")
                + test("%r3", "parity.shared::cta.b64 %p1, [bar], 0")
                + test("%r4", "parity.shared::cta.b64 %p1, [bar], 1")
                + "mbarrier.arrive_drop.shared::cta.b64 %rd2, [bar];\n"
                + "mbarrier.pending_count.b64 %r5, %rd2;\n"
                + "mbarrier.arrive.shared::cta.b64 _, [bar], 2;\n"
                + "mbarrier.arrive.shared::cta.b64 %rd3, [bar], 2;\n"
                + "mbarrier.pending_count.b64 %r6, %rd3;\n"
                + test("%r7", "shared::cta.b64 %p1, [bar], %rd3"))).containsExactly(3, 0, 1, 1, 0, 3, 2, 1);
    }

    @Test
    void phasesWaitForBytes() {
        assertThat(results("mbarrier.init.shared::cta.b64 [bar], 2;\n"
                + "mbarrier.arrive.expect_tx.shared::cta.b64 _, [bar], 64;\n"
                + "mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [bar], 16;\n"
                + "mbarrier.arrive.shared::cta.b64 _, [bar];\n"
                + test("%r0", "parity.shared::cta.b64 %p1, [bar], 0")
                + "mbarrier.complete_tx.shared::cta.b64 [bar], 64;\n"
                + test("%r1", "parity.shared::cta.b64 %p1, [bar], 0")
                + "mbarrier.complete_tx.shared::cta.b64 [bar], 16;\n"
                + test("%r2", "parity.shared::cta.b64 %p1, [bar], 0")
                // Bytes may come before anybody expects them.
                + "mbarrier.complete_tx.shared::cta.b64 [bar], 48;\n"
                + "mbarrier.arrive.shared::cta.b64 _, [bar];\n"
                + "mbarrier.arrive.expect_tx.shared::cta.b64 _, [bar], 48;\n"
                + test("%r3", "parity.shared::cta.b64 %p1, [bar], 1"))).startsWith(0, 0, 1, 1);
    }

    /** There and back again, with what it counts. */
    @ParameterizedTest
    @CsvSource({"0, 16", "1, 160", "2, 4080", "3, 4096"})
    void bytesInARow(long seed, int bytes) {
        PtxProgram program = Bench.hopper(SHARED, """
                elect.sync _|%p1, 0xffffffff;
                @!%p1 bra END;
                mbarrier.init.shared::cta.b64 [bar], 1;
                fence.proxy.async;
                mov.u32 %r1, BYTES;
                mbarrier.arrive.expect_tx.shared::cta.b64 _, [bar], %r1;
                cp.async.bulk.shared::cta.global.mbarrier::complete_tx::bytes [s], [%rd10], %r1, [bar];
                WAIT:
                mbarrier.try_wait.parity.shared::cta.b64 %p2, [bar], 0, 1000;
                @!%p2 bra WAIT;
                cp.async.bulk.global.shared::cta.bulk_group [%rd11], [s], %r1;
                cp.async.bulk.commit_group;
                cp.async.bulk.wait_group 0;
                END:
                """.replace("BYTES", Integer.toString(bytes)));
        try (Bench bench = new Bench(Faults.checked().withProfile(true).withSeed(seed).withThreads(1))) {
            MemorySegment in = bench.allocate(4096);
            for (int i = 0; i < 4096; i++) {
                in.set(ValueLayout.JAVA_BYTE, i, (byte) (i * 31 + (i >> 8)));
            }
            MemorySegment out = bench.allocate(4096);
            bench.launch(program, "k", 1, 32, 0, in, out);
            assertThat(out.mismatch(in)).isEqualTo(bytes == 4096 ? -1 : bytes);
            Traffic traffic = bench.executor().counters().get("k").traffic();
            assertThat(traffic.globalBytesRead).isEqualTo(bytes);
            assertThat(traffic.globalBytesWritten).isEqualTo(bytes);
            assertThat(traffic.globalSectorsRead).isEqualTo(Math.ceilDiv(bytes, 32));
            assertThat(traffic.sharedWavefronts).isEqualTo(2 * Math.ceilDiv(bytes, 128));
            assertThat(bench.executor().counters().get("k").instructions(InstructionClass.CP_ASYNC)).isEqualTo(4);
        }
    }

    private static DeviceFault copy(String operands) {
        try (Bench bench = Bench.plain()) {
            MemorySegment memory = bench.allocate(1024);
            return catchThrowableOfType(DeviceFault.class, () -> bench.launch(Bench.hopper(SHARED,
                    "mbarrier.init.shared::cta.b64 [bar], 1;\nmov.u32 %r1, s;\ncp.async.bulk.shared::cluster.global."
                    + "mbarrier::complete_tx::bytes " + operands + ";"), "k", 1, 1, 0, memory, memory));
        }
    }

    @Test
    void placesAndSizesThatCannotBe() {
        assertThat(copy("[%r1+8], [%rd10], 16, [bar]").kind()).isEqualTo(Kind.MISALIGNED);
        assertThat(copy("[%r1], [%rd10+8], 16, [bar]").kind()).isEqualTo(Kind.MISALIGNED);
        assertThat(copy("[%r1], [%rd10], 24, [bar]").kind()).isEqualTo(Kind.MISALIGNED);
        assertThat(copy("[%r1], [%rd10+16], 1024, [bar]").kind()).isEqualTo(Kind.OUT_OF_BOUNDS);
        assertThat(copy("[%r1+4096], [%rd10], 32, [bar]").kind()).isEqualTo(Kind.OUT_OF_BOUNDS);
        assertThat(copy("[%r1], [%rd10], 16, [%r1+4104]").kind()).isEqualTo(Kind.OUT_OF_BOUNDS);
    }
}
