package jdiffusion.emulator;

import static jdiffusion.emulator.Faults.checked;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.lang.foreign.MemorySegment;
import jdiffusion.emulator.DeviceFault.Kind;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Faults in clusters of blocks, each planted on purpose in a kernel that is right without it. */
class ClusterFaultTest {
    private static final String SHARED = ".shared .align 128 .b8 s[1024];\n.shared .align 8 .b64 full;\n";
    private static final String SYNC = "barrier.cluster.arrive.aligned;\nbarrier.cluster.wait.aligned;\n";

    /** Each block of two writes its words, and reads the other one's; %r20 is the rank, %r21 that of the other. */
    private static final String RANKS = """
            mov.u32 %r20, %cluster_ctarank;
            xor.b32 %r21, %r20, 1;
            shl.b32 %r1, %r10, 2;
            mov.u32 %r2, s;
            add.u32 %r2, %r2, %r1;
            """;
    private static final String EXCHANGE = RANKS + """
            st.shared.u32 [%r2], %r10;
            FIRST
            mapa.shared::cluster.u32 %r3, %r2, %r21;
            ld.shared::cluster.u32 %r4, [%r3];
            LAST
            """;

    /** Thread 0 of each block stores 16 bytes in the other block, whose barrier counts them. */
    private static final String SEND = RANKS + """
            setp.eq.s32 %p1, %r10, 0;
            @%p1 mbarrier.init.shared::cta.b64 [full], 1;
            @%p1 mbarrier.arrive.expect_tx.shared::cta.b64 _, [full], 16;
            FENCE
            FIRST
            mov.u32 %r5, full;
            mapa.shared::cluster.u32 %r3, %r2, %r21;
            mapa.shared::cluster.u32 %r6, %r5, BARRIER;
            @%p1 st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.v4.b32 [%r3], {%r10, %r20, %r21, %r5}, [%r6];
            WAIT:
            mbarrier.try_wait.parity.shared::cta.b64 %p2, [full], 0;
            @!%p2 bra WAIT;
            AFTER
            LAST
            """;
    private static final String FENCE = "fence.mbarrier_init.release.cluster;\n";

    private static PtxProgram program(String body) {
        return Bench.hopper(SHARED, body);
    }

    private static DeviceFault fault(long seed, String body, int blocks, Dim3 cluster) {
        PtxProgram program = program(body);
        try (Bench bench = new Bench(checked().withSeed(seed).withThreads(1))) {
            MemorySegment in = bench.allocate(1024);
            MemorySegment out = bench.allocate(1024);
            return catchThrowableOfType(DeviceFault.class, () -> bench.executor().launch(program.kernel("k"),
                    new Dim3(blocks, 1, 1), new Dim3(64, 1, 1), cluster, 0, bench.arguments(in, out)));
        }
    }

    private static DeviceFault pair(long seed, String body) {
        return fault(seed, body, 4, new Dim3(2, 1, 1));
    }

    private static DeviceFault exchange(long seed, String first, String last) {
        return pair(seed, EXCHANGE.replace("FIRST", first).replace("LAST", last));
    }

    private static DeviceFault send(long seed, String... replaced) {
        String body = SEND;
        for (int i = 0; i < replaced.length; i += 2) {
            body = body.replace(replaced[i], replaced[i + 1]);
        }
        return pair(seed, body.replace("FENCE", FENCE).replace("FIRST", SYNC).replace("BARRIER", "%r21")
                .replace("AFTER", "").replace("LAST", SYNC));
    }

    private static void assertFault(DeviceFault fault, Kind kind, String... texts) {
        assertThat(fault).isNotNull();
        assertThat(fault.kind()).as(fault.getMessage()).isEqualTo(kind);
        assertThat(fault.line()).isPositive();
        for (String text : texts) {
            assertThat(fault).hasMessageContaining(text);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3, 4, 5, 6, 7})
    void aBlockThatMayNotHaveStarted(long seed) {
        assertThat(exchange(seed, SYNC, SYNC)).isNull();
        assertFault(exchange(seed, "bar.sync 0;", SYNC), Kind.PEER, "`ld.shared::cluster.u32 %r4, [%r3];`",
                "which may not have started: no barrier of the cluster comes before");
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3, 4, 5, 6, 7})
    void aBlockThatMayHaveEnded(long seed) {
        DeviceFault fault = exchange(seed, SYNC, "");
        assertFault(fault, Kind.PEER, "`ld.shared::cluster.u32 %r4, [%r3];`", "shared memory of block");
        assertThat(fault.getMessage()).containsAnyOf("which has ended", "its threads exit and wait for nobody after this");
        // A barrier of the block does not hold the other one back.
        assertFault(exchange(seed, SYNC, "bar.sync 0;"), Kind.PEER);
        // It is enough that the others arrive after their last use, and that who is used waits.
        assertThat(exchange(seed, SYNC, "barrier.cluster.arrive;\nbarrier.cluster.wait;")).isNull();
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3, 4, 5, 6, 7})
    void aRaceBetweenBlocks(long seed) {
        // The other block overwrites its words while this one may still read them.
        String store = "st.shared.u32 [%r2], %r20;\n";
        DeviceFault fault = exchange(seed, SYNC, store + SYNC);
        assertFault(fault, Kind.SHARED_RACE, "with no barrier between", " of block (");
        assertThat(exchange(seed, SYNC, SYNC + store)).isNull();
        // Both blocks write to the first one.
        String both = "mov.u32 %r22, 0;\nmapa.shared::cluster.u32 %r3, %r2, %r22;\nst.shared::cluster.u32 [%r3], %r20;\n";
        DeviceFault writes = pair(seed, RANKS + SYNC + both + SYNC);
        assertFault(writes, Kind.SHARED_RACE, "`st.shared::cluster.u32 [%r3], %r20;`", "was written by thread");
        // Atomics are in no race with each other.
        assertThat(pair(seed, RANKS + "st.shared.u32 [%r2], 0;\n" + SYNC + both.replace("st.shared::cluster.u32",
                "red.shared::cluster.add.u32") + SYNC + "ld.shared.u32 %r5, [%r2];")).isNull();
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3, 4, 5, 6, 7})
    void betweenArrivalAndWaitNothingIsOrdered(long seed) {
        String late = "barrier.cluster.arrive;\nst.shared.u32 [%r2], %r10;\nbarrier.cluster.wait;\n";
        String body = RANKS + late + "mapa.shared::cluster.u32 %r3, %r2, %r21;\nld.shared::cluster.u32 %r4, [%r3];\n";
        DeviceFault fault = pair(seed, body + SYNC);
        assertThat(fault).isNotNull();
        assertThat(fault.kind()).as(fault.getMessage()).isIn(Kind.SHARED_RACE, Kind.UNINITIALISED_SHARED);
        assertThat(pair(seed, body.replace(late, late.replace("barrier.cluster.arrive;\nst.shared.u32 [%r2], %r10;",
                "st.shared.u32 [%r2], %r10;\nbarrier.cluster.arrive;")) + SYNC)).isNull();
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3, 4, 5, 6, 7})
    void aRelaxedArrivalHandsOnWhatAFenceOrders(long seed) {
        String relaxed = "barrier.cluster.arrive.relaxed.aligned;\nbarrier.cluster.wait.acquire.aligned;\n";
        assertFault(exchange(seed, relaxed, SYNC), Kind.SHARED_RACE, "was written by thread");
        assertThat(exchange(seed, "fence.acq_rel.cluster;\n" + relaxed, SYNC)).isNull();
        assertThat(send(seed, "FIRST", relaxed)).isNull();
        DeviceFault fault = send(seed, "FENCE", "", "FIRST", relaxed);
        assertFault(fault, Kind.SHARED_RACE, "st.async", "mbarrier.init", "and was made by thread 0");
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3, 4, 5, 6, 7})
    void aBarrierThatIsUsedBeforeItIsMade(long seed) {
        assertThat(send(seed)).isNull();
        assertFault(send(seed, "FIRST", "bar.sync 0;"), Kind.PEER, "may not have started");
        // The blocks have met, but before that.
        DeviceFault fault = pair(seed, RANKS + """
                setp.eq.s32 %p1, %r10, 0;
                SYNC
                @%p1 mbarrier.init.shared::cta.b64 [full], 1;
                bar.sync 0;
                mov.u32 %r5, full;
                mapa.shared::cluster.u32 %r6, %r5, %r21;
                @%p1 mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%r6];
                SYNC
                """.replace("SYNC", SYNC));
        assertThat(fault).isNotNull();
        assertThat(fault.kind()).as(fault.getMessage()).isIn(Kind.SHARED_RACE, Kind.UNINITIALISED_SHARED);
        assertThat(fault.getMessage()).contains("mbarrier");
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3, 4, 5, 6, 7})
    void whatAnAsynchronousStoreBrings(long seed) {
        String read = "@%p1 ld.shared.u32 %r4, [%r2];";
        assertThat(send(seed, "AFTER", read)).isNull();
        // Who waits for what comes is there until it has come.
        assertThat(send(seed, "LAST", "")).isNull();
        // Only one thread waits, and another one reads.
        DeviceFault early = send(seed, "FIRST", SYNC + "BEFORE", "WAIT:\n", read + "\nWAIT:\n", "BEFORE", "");
        assertThat(early).isNotNull();
        assertThat(early.kind()).as(early.getMessage()).isIn(Kind.UNFINISHED_COPY, Kind.UNINITIALISED_SHARED,
                Kind.SHARED_RACE);
        // The block that gets them does not wait.
        DeviceFault never = send(seed, "@!%p2 bra WAIT;", "");
        assertThat(never).isNotNull();
        assertThat(never.kind()).as(never.getMessage()).isEqualTo(Kind.UNFINISHED_COPY);
        assertThat(never).hasMessageContaining("st.async").hasMessageContaining("nobody has waited for this copy");
        DeviceFault other = send(seed, "BARRIER", "%r20");
        assertFault(other, Kind.BARRIER, "is counted by a barrier of block", "both must be of one block");
    }

    @ParameterizedTest
    @CsvSource({"3, ", "1, ", "4, a multicast to ranks 0x4 of a cluster of 2", "7, a multicast to ranks 0x7 of a cluster of 2"})
    void multicastToARankOutsideTheCluster(int ranks, String message) {
        String body = RANKS + """
                setp.eq.s32 %p1, %r10, 0;
                setp.ne.s32 %p3, %r20, 0;
                mov.u16 %h1, RANKS;
                @%p1 mbarrier.init.shared::cta.b64 [full], 1;
                @%p1 mbarrier.arrive.expect_tx.shared::cta.b64 _, [full], BYTES;
                fence.mbarrier_init.release.cluster;
                SYNC
                @%p3 bra WAIT;
                @%p1 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [s], [%rd10], 512, [full], %h1;
                WAIT:
                mbarrier.try_wait.parity.shared::cta.b64 %p2, [full], 0;
                @!%p2 bra WAIT;
                ld.shared.u32 %r4, [%r2];
                SYNC
                """.replace("SYNC", SYNC).replace("RANKS", Integer.toString(ranks));
        for (long seed = 0; seed < 4; seed++) {
            DeviceFault fault = pair(seed, body.replace("BYTES", "512"));
            if (message != null) {
                assertFault(fault, Kind.OUT_OF_BOUNDS, message, "multicast::cluster");
            } else if (ranks == 3) {
                assertThat(fault).isNull();
            } else {
                assertFault(fault, Kind.DEADLOCK, "512 bytes of copies are missing");
            }
        }
    }

    @Test
    void theStageOfAnotherBlockIsOverwritten() {
        String body = RANKS + """
                setp.eq.s32 %p1, %r10, 0;
                setp.ne.s32 %p3, %r20, 0;
                @%p1 mbarrier.init.shared::cta.b64 [full], 1;
                @%p1 mbarrier.arrive.expect_tx.shared::cta.b64 _, [full], 512;
                fence.mbarrier_init.release.cluster;
                SYNC
                ld.shared.u32 %r4, [%r2];
                BETWEEN
                @%p3 bra WAIT;
                @%p1 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [s], [%rd10], 512, [full], 3;
                WAIT:
                mbarrier.try_wait.parity.shared::cta.b64 %p2, [full], 0;
                @!%p2 bra WAIT;
                SYNC
                """.replace("ld.shared.u32 %r4, [%r2];", "st.shared.u32 [%r2], %r10;").replace("SYNC", SYNC);
        for (long seed = 0; seed < 8; seed++) {
            assertThat(pair(seed, body.replace("BETWEEN", SYNC))).isNull();
            DeviceFault fault = pair(seed, body.replace("BETWEEN", "bar.sync 0;"));
            assertThat(fault).isNotNull();
            assertThat(fault.kind()).as(fault.getMessage()).isIn(Kind.SHARED_RACE, Kind.UNFINISHED_COPY);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3, 4, 5, 6, 7})
    void copiesBetweenBlocks(long seed) {
        String body = RANKS + """
                setp.eq.s32 %p1, %r10, 0;
                st.shared.u32 [%r2], %r10;
                PROXY
                @%p1 mbarrier.init.shared::cta.b64 [full], 1;
                @%p1 mbarrier.arrive.expect_tx.shared::cta.b64 _, [full], 256;
                FENCE
                SYNC
                mov.u32 %r5, full;
                mapa.shared::cluster.u32 %r6, %r5, %r21;
                mov.u32 %r7, s;
                mapa.shared::cluster.u32 %r8, %r7, %r21;
                @%p1 cp.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes [%r8+512], [s], 256, [%r6];
                BEFORE
                WAIT:
                mbarrier.try_wait.parity.shared::cta.b64 %p2, [full], 0;
                @!%p2 bra WAIT;
                ld.shared.u32 %r4, [%r2+512];
                LAST
                AFTER
                """.replace("SYNC", SYNC).replace("FENCE", FENCE);
        String proxy = "fence.proxy.async.shared::cta;";
        String overwrite = "st.shared.u32 [%r2], %r20;";
        assertThat(pair(seed, body.replace("PROXY", proxy).replace("BEFORE", "").replace("LAST", SYNC)
                .replace("AFTER", overwrite))).isNull();
        assertFault(pair(seed, body.replace("PROXY", "").replace("BEFORE", "").replace("LAST", SYNC).replace("AFTER", "")),
                Kind.MISSING_FENCE, "cp.async.bulk.shared::cluster.shared::cta");
        DeviceFault early = pair(seed, body.replace("PROXY", proxy).replace("BEFORE", overwrite).replace("LAST", SYNC)
                .replace("AFTER", ""));
        // Where another warp's word is overwritten before the copy is issued, it is that the copy reads without a
        // fence.
        assertThat(early).isNotNull();
        assertThat(early.kind()).as(early.getMessage()).isIn(Kind.UNFINISHED_COPY, Kind.MISSING_FENCE);
        assertThat(early).hasMessageContaining(overwrite);
        // What the other block has got it knows, but not the block whose words were read.
        DeviceFault untold = pair(seed, body.replace("PROXY", proxy).replace("BEFORE", "").replace("LAST", "")
                .replace("AFTER", overwrite + SYNC));
        assertThat(untold).isNotNull();
        assertThat(untold.kind()).as(untold.getMessage()).isIn(Kind.SHARED_RACE, Kind.UNFINISHED_COPY,
                Kind.MISSING_FENCE);
        DeviceFault ended = pair(seed, body.replace("PROXY", proxy).replace("BEFORE", "").replace("LAST", "")
                .replace("AFTER", ""));
        assertThat(ended).isNotNull();
        assertThat(ended.kind()).as(ended.getMessage()).isIn(Kind.PEER, Kind.UNFINISHED_COPY);
    }

    @Test
    void addressesOutsideABlockOrTheCluster() {
        assertFault(exchange(0, SYNC.concat("mov.u32 %r21, 2;\n"), SYNC), Kind.OUT_OF_BOUNDS, "mapa",
                "an address in the block of rank 2 of a cluster of 2");
        String far = EXCHANGE.replace("[%r3]", "[%r3+1024]").replace("FIRST", SYNC).replace("LAST", SYNC);
        DeviceFault fault = pair(0, far);
        assertFault(fault, Kind.OUT_OF_BOUNDS, "read of 4 bytes at shared address", "of the cluster has 1032 bytes");
        assertFault(pair(0, EXCHANGE.replace("[%r3]", "[%r3+2]").replace("FIRST", SYNC).replace("LAST", SYNC)),
                Kind.MISALIGNED);
        assertFault(pair(0, EXCHANGE.replace("ld.shared::cluster", "ld.shared").replace("FIRST", SYNC)
                .replace("LAST", SYNC)), Kind.OUT_OF_BOUNDS, ".shared::cluster or a generic address goes there");
    }

    @Test
    void barriersOfTheClusterThatAreUsedWrongly() {
        assertFault(pair(0, RANKS + "barrier.cluster.wait.aligned;\n"), Kind.BARRIER, "has not arrived there before");
        assertFault(pair(0, RANKS + "barrier.cluster.arrive.aligned;\nbarrier.cluster.arrive.aligned;\n"
                + "barrier.cluster.wait.aligned;\n"), Kind.BARRIER, "has not waited there since it last did");
        assertFault(pair(0, RANKS + "setp.lt.u32 %p1, %r10, 8;\n@%p1 barrier.cluster.arrive.aligned;\n"),
                Kind.DIVERGENT_BARRIER, "executed by lanes 0xff of the warp's 0xffffffff");
    }

    @Test
    void blocksThatWaitForEachOther() {
        // One block waits for the cluster, the other one for a barrier that nobody arrives at.
        String body = RANKS + """
                setp.eq.s32 %p1, %r10, 0;
                setp.ne.s32 %p3, %r20, 0;
                @%p1 mbarrier.init.shared::cta.b64 [full], 1;
                bar.sync 0;
                @%p3 bra REST;
                WAIT:
                mbarrier.try_wait.parity.shared::cta.b64 %p2, [full], 0;
                @!%p2 bra WAIT;
                REST:
                SYNC
                """.replace("SYNC", SYNC);
        assertFault(pair(0, body), Kind.DEADLOCK, "1 of 1 arrivals", "nothing happens any more");
        // One warp waits for its block, the other one for the cluster.
        String mixed = RANKS + "setp.lt.u32 %p1, %r10, 32;\n@%p1 bra CLUSTER;\nbar.sync 0;\nbra END;\nCLUSTER:\n" + SYNC
                + "END:\n";
        assertFault(pair(0, mixed), Kind.DEADLOCK, "waits for threads that wait at another one");
        // Whoever has exited is not waited for.
        assertThat(pair(0, RANKS + "setp.lt.u32 %p1, %r10, 32;\n@%p1 bra END;\nbarrier.cluster.arrive;\n"
                + "barrier.cluster.wait;\nEND:\n")).isNull();
    }

    @ParameterizedTest
    @CsvSource({"16, 16, 'clusters of (16, 1, 1), 16 blocks: at most 8 are possible here; 16, which are not portable, are not'",
            "6, 4, 'a grid of (6, 1, 1) blocks, which is no multiple of its clusters of (4, 1, 1)'"})
    void sizesThatAreRefused(int grid, int cluster, String message) {
        DeviceFault fault = fault(0, RANKS, grid, new Dim3(cluster, 1, 1));
        assertThat(fault.kind()).isEqualTo(Kind.BAD_LAUNCH);
        assertThat(fault).hasMessageContaining(message);
    }

    @Test
    void whatTheKernelAsksOfItsClusters() {
        String text = Bench.module(Bench.entry("k", SHARED, RANKS)).replace("sm_80", "sm_90");
        launch(text.replace("\n{\n", "\n.explicitcluster\n.reqnctapercluster 2, 1, 1\n{\n"), null);
        assertThatThrownBy(() -> launch(text.replace("\n{\n", "\n.explicitcluster\n{\n"), null))
                .hasMessageContaining("no size of clusters, and the kernel is compiled to be launched with one");
        launch(text.replace("\n{\n", "\n.explicitcluster\n{\n"), new Dim3(4, 1, 1));
        assertThatThrownBy(() -> launch(text.replace("\n{\n", "\n.reqnctapercluster 2\n{\n"), new Dim3(4, 1, 1)))
                .hasMessageContaining("clusters of (4, 1, 1) blocks, and the kernel is compiled for clusters of (2, 1, 1)");
        assertThatThrownBy(() -> launch(text.replace("\n{\n", "\n.maxclusterrank 2\n{\n"), new Dim3(4, 1, 1)))
                .hasMessageContaining("at most 2 are possible here, says the kernel");
    }

    private static void launch(String text, Dim3 cluster) {
        PtxProgram program = PtxProgram.translate(text, "test.ptx");
        try (Bench bench = new Bench(checked().withThreads(1))) {
            bench.executor().launch(program.kernel("k"), new Dim3(4, 1, 1), new Dim3(64, 1, 1), cluster, 0,
                    bench.arguments(bench.allocate(8), bench.allocate(8)));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {
            "red.async.relaxed.cluster.global.shared::cluster.mbarrier::complete_tx::bytes.add.u32 [%r2], %r10, [%r5];",
            "mbarrier.init.shared::cluster.b64 [%r5], 1;",
            "cp.async.bulk.global.shared::cta.bulk_group.cp_mask [%rd1], [%r2], %r1, %h1;",
            "cp.async.bulk.tensor.1d.cta_group::2.shared::cluster.global.mbarrier::complete_tx::bytes [%r2], [%rd1, {%r1}], [%r5];",
            "mbarrier.arrive.shared::cluster.b64 %rd1, [%r5];",
            "multimem.red.relaxed.sys.global.add.f32 [%rd1], %f1;"})
    void formsThatAreNotThereAreNamed(String instruction) {
        assertThatThrownBy(() -> program("\n\n" + instruction)).isInstanceOf(PtxException.class)
                .hasMessageContaining("this instruction is not supported").hasMessageContaining(instruction)
                .hasMessageMatching("test.ptx:\\d+: kernel k: (?s).*");
    }

    @Test
    void clustersNeedANewerArchitecture() {
        assertThatThrownBy(() -> Bench.kernel(SHARED, SYNC)).isInstanceOf(PtxException.class)
                .hasMessageContaining("needs .target sm_90 or a later one");
    }
}
