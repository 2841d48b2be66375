package jdiffusion.emulator;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What blocks of a cluster see of each other: registers, addresses, loads and stores of each width, atomics, barriers.
 */
class ClusterTest {
    private static final int THREADS = 32;
    private static final String SHARED = ".shared .align 16 .b8 s[1024];\n.shared .align 8 .b64 full;\n";
    private static final String SYNC = "barrier.cluster.arrive.release.aligned;\nbarrier.cluster.wait.acquire.aligned;\n";

    /**
     * %r20 is the rank, %r21 the next one's, %r2 the thread's place in s, 8 bytes for each; %rd2 its places in the
     * second
     * array, which has 16 words for each thread of the grid.
     */
    private static final String PLACES = """
            mov.u32 %r20, %cluster_ctarank;
            mov.u32 %r22, %cluster_nctarank;
            add.u32 %r21, %r20, 1;
            setp.ge.u32 %p1, %r21, %r22;
            @%p1 mov.u32 %r21, 0;
            shl.b32 %r1, %r10, 3;
            mov.u32 %r2, s;
            add.u32 %r2, %r2, %r1;
            mov.u32 %r11, %ctaid.x;
            mov.u32 %r12, %ctaid.y;
            mov.u32 %r13, %ctaid.z;
            mov.u32 %r14, %nctaid.x;
            mov.u32 %r15, %nctaid.y;
            mad.lo.u32 %r12, %r13, %r15, %r12;
            mad.lo.u32 %r11, %r12, %r14, %r11;
            mad.lo.u32 %r11, %r11, 32, %r10;
            mul.wide.u32 %rd2, %r11, 64;
            add.s64 %rd2, %rd2, %rd11;
            """;

    /** Words that each thread has written, by block and thread. */
    private static int[] run(String body, Dim3 grid, Dim3 cluster, long seed) {
        PtxProgram program = Bench.hopper(SHARED, PLACES + body);
        try (Bench bench = new Bench(EmulatorOptions.defaults().withCheck(true).withSeed(seed).withThreads(2))) {
            MemorySegment in = bench.ints(IntStream.range(0, 1024).map(i -> 7 * i).toArray());
            MemorySegment out = bench.allocate(64 * THREADS * grid.count());
            bench.executor().launch(program.kernel("k"), grid, new Dim3(THREADS, 1, 1), cluster, 0, bench.arguments(in, out));
            return out.toArray(ValueLayout.JAVA_INT);
        }
    }

    private static int word(int[] words, int block, int thread, int i) {
        return words[(block * THREADS + thread) * 16 + i];
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void registersOfClusters(boolean clusters) {
        String[] names = {"%clusterid.x", "%clusterid.y", "%clusterid.z", "%nclusterid.x", "%nclusterid.y", "%nclusterid.z",
            "%cluster_ctaid.x", "%cluster_ctaid.y", "%cluster_ctaid.z", "%cluster_nctaid.x", "%cluster_nctaid.y",
            "%cluster_nctaid.z", "%cluster_ctarank", "%cluster_nctarank", "%is_explicit_cluster"};
        var body = new StringBuilder();
        for (int i = 0; i < names.length; i++) {
            String store = "st.global.u32 [%rd2+" + 4 * i + "], %r3;\n";
            body.append(i < 14 ? "mov.u32 %r3, " + names[i] + ";\n"
                    : "mov.pred %p2, " + names[i] + ";\nselp.u32 %r3, 1, 0, %p2;\n@" + names[i] + " add.u32 %r3, %r3, 2;\n");
            body.append(store);
        }
        Dim3 grid = new Dim3(4, 6, 2);
        Dim3 cluster = clusters ? new Dim3(2, 3, 1) : new Dim3(1, 1, 1);
        int[] words = run(body.toString(), grid, clusters ? cluster : null, 0);
        for (int block = 0; block < grid.count(); block++) {
            Dim3 at = grid.at(block);
            int x = at.x() % cluster.x();
            int y = at.y() % cluster.y();
            int[] expected = {at.x() / cluster.x(), at.y() / cluster.y(), at.z(), grid.x() / cluster.x(),
                grid.y() / cluster.y(), grid.z(), x, y, 0, cluster.x(), cluster.y(), 1, x + cluster.x() * y,
                (int) cluster.count(), clusters ? 3 : 0};
            for (int i = 0; i < expected.length; i++) {
                assertThat(word(words, block, 5, i)).as("%s of block %d", names[i], block).isEqualTo(expected[i]);
            }
        }
    }

    /** Loads of the next block's words, each width, by shared and by generic addresses. */
    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3})
    void loadsOfEachWidth(long seed) {
        int[] words = run("""
                mad.lo.u32 %r3, %r20, 1000, %r10;
                mov.u32 %r4, -5;
                st.shared.v2.u32 [%r2], {%r3, %r4};
                SYNC
                mapa.shared::cluster.u32 %r5, %r2, %r21;
                ld.shared::cluster.u32 %r6, [%r5];
                st.global.u32 [%rd2], %r6;
                ld.shared::cluster.v2.u32 {%r6, %r7}, [%r5];
                st.global.u32 [%rd2+4], %r7;
                ld.shared::cluster.u64 %rd4, [%r5];
                st.global.u64 [%rd2+8], %rd4;
                ld.shared::cluster.u8 %r6, [%r5+4];
                st.global.u32 [%rd2+16], %r6;
                ld.shared::cluster.s8 %r6, [%r5+4];
                st.global.u32 [%rd2+20], %r6;
                cvt.u64.u32 %rd3, %r2;
                cvta.shared.u64 %rd3, %rd3;
                mapa.u64 %rd5, %rd3, %r21;
                ld.u32 %r6, [%rd5];
                st.global.u32 [%rd2+24], %r6;
                ld.u64 %rd4, [%rd5];
                st.global.u64 [%rd2+32], %rd4;
                ld.u16 %h1, [%rd5+4];
                cvt.u32.u16 %r6, %h1;
                st.global.u32 [%rd2+28], %r6;
                cvt.u64.u32 %rd6, %r5;
                cvta.shared::cluster.u64 %rd6, %rd6;
                ld.u32 %r6, [%rd6];
                st.global.u32 [%rd2+40], %r6;
                ld.u32 %r6, [%rd3];
                st.global.u32 [%rd2+44], %r6;
                SYNC
                """.replace("SYNC", SYNC), new Dim3(6, 1, 1), new Dim3(3, 1, 1), seed);
        for (int block = 0; block < 6; block++) {
            for (int t = 0; t < THREADS; t++) {
                int value = (block + 1) % 3 * 1000 + t;
                int[] expected = {value, -5, value, -5, 251, -5, value, 65531, value, -5, value, block % 3 * 1000 + t};
                for (int i = 0; i < expected.length; i++) {
                    assertThat(word(words, block, t, i)).as("word %d of thread %d of block %d", i, t, block)
                            .isEqualTo(expected[i]);
                }
            }
        }
    }

    /** Lanes of one instruction store to, and load from, different blocks, their own among them, and global memory. */
    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3})
    void lanesThatGoToDifferentBlocks(long seed) {
        int[] words = run("""
                and.b32 %r6, %r10, 3;
                mov.u64 %rd5, 0;
                cvt.u64.u32 %rd3, %r2;
                cvta.shared.u64 %rd3, %rd3;
                mapa.u64 %rd4, %rd3, %r6;
                mad.lo.u32 %r3, %r20, 100, %r10;
                SYNC
                mov.u32 %r8, s;
                mad.lo.u32 %r8, %r20, 256, %r8;
                add.u32 %r8, %r8, %r1;
                mapa.shared::cluster.u32 %r9, %r8, %r6;
                st.shared::cluster.u64 [%r9], %rd4;
                SYNC
                setp.eq.s32 %p3, %r6, %r20;
                @%p3 ld.shared.u64 %rd5, [%r8];
                setp.eq.s64 %p2, %rd5, %rd4;
                selp.u32 %r28, 1, 0, %p2;
                st.global.u32 [%rd2], %r28;
                setp.ge.u32 %p4, %r10, 16;
                @%p4 mov.b64 %rd4, %rd2;
                @%p4 st.u32 [%rd4+12], %r3;
                getctarank.u64 %r24, %rd3;
                @!%p4 getctarank.u64 %r24, %rd4;
                st.global.u32 [%rd2+8], %r24;
                isspacep.shared::cluster %p5, %rd4;
                selp.u32 %r25, 1, 0, %p5;
                isspacep.shared::cta %p6, %rd4;
                selp.u32 %r26, 2, 0, %p6;
                isspacep.global %p7, %rd4;
                selp.u32 %r27, 4, 0, %p7;
                or.b32 %r25, %r25, %r26;
                or.b32 %r25, %r25, %r27;
                st.global.u32 [%rd2+16], %r25;
                SYNC
                """.replace("SYNC", SYNC), new Dim3(4, 1, 1), new Dim3(4, 1, 1), seed);
        for (int block = 0; block < 4; block++) {
            for (int t = 0; t < THREADS; t++) {
                int to = t % 4;
                assertThat(word(words, block, t, 0)).isEqualTo(to == block ? 1 : 0);
                assertThat(word(words, block, t, 2)).isEqualTo(t < 16 ? to : block);
                assertThat(word(words, block, t, 3)).isEqualTo(t < 16 ? 0 : block * 100 + t);
                assertThat(word(words, block, t, 4)).isEqualTo(t >= 16 ? 4 : to == block ? 3 : 1);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3})
    void atomicsOnOtherBlocks(long seed) {
        int[] words = run("""
                mov.u32 %r3, s;
                setp.eq.u32 %p2, %r10, 0;
                mov.u64 %rd3, 0;
                @%p2 st.shared.v2.u64 [%r3], {%rd3, %rd3};
                @%p2 st.shared.v2.u64 [%r3+16], {%rd3, %rd3};
                SYNC
                mov.u32 %r4, 0;
                mapa.shared::cluster.u32 %r5, %r3, %r4;
                add.u32 %r6, %r20, 1;
                red.shared::cluster.add.u32 [%r5], %r6;
                atom.shared::cluster.max.u32 %r7, [%r5+4], %r6;
                cvt.u64.u32 %rd4, %r6;
                red.shared::cluster.add.u64 [%r5+8], %rd4;
                cvt.u64.u32 %rd5, %r5;
                cvta.shared::cluster.u64 %rd5, %rd5;
                atom.add.u32 %r8, [%rd5+16], %r6;
                red.add.f32 [%rd5+20], 0f3F800000;
                SYNC
                ld.shared::cluster.v2.u32 {%r6, %r7}, [%r5];
                st.global.v2.u32 [%rd2], {%r6, %r7};
                ld.shared::cluster.u64 %rd6, [%r5+8];
                st.global.u64 [%rd2+8], %rd6;
                ld.v2.u32 {%r6, %r7}, [%rd5+16];
                st.global.v2.u32 [%rd2+16], {%r6, %r7};
                SYNC
                """.replace("SYNC", SYNC), new Dim3(4, 1, 1), new Dim3(4, 1, 1), seed);
        for (int block = 0; block < 4; block++) {
            int sum = 32 * 10;
            int[] expected = {sum, 4, sum, 0, sum, Float.floatToRawIntBits(128)};
            for (int i = 0; i < expected.length; i++) {
                assertThat(word(words, block, 31, i)).as("word %d", i).isEqualTo(expected[i]);
            }
        }
    }

    /** Barriers in other blocks' memory: bytes announced from afar, arrivals that leave for good, stores of 64 bits. */
    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3, 4, 5, 6, 7})
    void barriersInOtherBlocks(long seed) {
        int[] words = run("""
                setp.eq.u32 %p2, %r10, 0;
                mov.u32 %r3, full;
                @%p2 mbarrier.init.shared.b64 [full], 33;
                fence.mbarrier_init.release.cluster;
                SYNC
                mapa.shared::cluster.u32 %r4, %r3, %r21;
                mapa.shared::cluster.u32 %r5, %r2, %r21;
                mad.lo.u32 %r6, %r20, 100, %r10;
                cvt.u64.u32 %rd3, %r6;
                @%p2 mbarrier.arrive.expect_tx.relaxed.cluster.shared::cluster.b64 _, [%r4], 128;
                mbarrier.expect_tx.relaxed.cluster.shared::cluster.b64 [%r4], 8;
                @%p2 mbarrier.complete_tx.relaxed.cluster.shared::cluster.b64 [%r4], 128;
                st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.b64 [%r5], %rd3, [%r4];
                mbarrier.arrive_drop.release.cluster.shared::cluster.b64 _, [%r4];
                W1:
                mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 %p3, [full], 0;
                @!%p3 bra W1;
                ld.shared.u64 %rd4, [%r2];
                st.global.u64 [%rd2], %rd4;
                SYNC
                @%p2 mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%r4];
                W2:
                mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 %p3, [full], 1;
                @!%p3 bra W2;
                SYNC
                """.replace("SYNC", SYNC), new Dim3(6, 1, 1), new Dim3(3, 1, 1), seed);
        for (int block = 0; block < 6; block++) {
            for (int t = 0; t < THREADS; t++) {
                assertThat(word(words, block, t, 0)).isEqualTo((block + 2) % 3 * 100 + t);
            }
        }
    }

    /**
     * Arrival and wait apart, many times; and warps that are at a barrier of their block when another block opens it.
     */
    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3})
    void roundsOfABarrierInTwoParts(long seed) {
        String body = """
                mov.u32 %r3, %r20;
                mov.u32 %r4, 0;
                ROUND:
                st.shared.u32 [%r2], %r3;
                barrier.cluster.arrive;
                add.u32 %r4, %r4, 1;
                barrier.cluster.wait;
                mapa.shared::cluster.u32 %r5, %r2, %r21;
                ld.shared::cluster.u32 %r3, [%r5];
                bar.sync 0;
                SYNC
                setp.lt.u32 %p2, %r4, 7;
                @%p2 bra ROUND;
                st.global.u32 [%rd2], %r3;
                """.replace("SYNC", SYNC);
        int[] words = run(body, new Dim3(10, 1, 1), new Dim3(5, 1, 1), seed);
        for (int block = 0; block < 10; block++) {
            assertThat(word(words, block, 3, 0)).isEqualTo((block + 7) % 5);
        }
        // Launched without clusters, a block is one by itself.
        assertThat(word(run(body.replace("mov.u32 %r3, %r20;", "add.u32 %r3, %r20, 9;"), new Dim3(3, 1, 1), null, seed), 2,
                3, 0)).isEqualTo(9);
    }

    /** The counters know what goes to other blocks, and a multicast fetches its sectors once. */
    @Test
    void countersOfMulticast() {
        String body = PLACES + """
                setp.eq.u32 %p2, %r10, 0;
                setp.eq.u32 %p3, %r20, 0;
                @%p2 mbarrier.init.shared.b64 [full], 1;
                @%p2 mbarrier.arrive.expect_tx.shared.b64 %rd9, [full], 512;
                fence.mbarrier_init.release.cluster;
                SYNC
                @!%p3 bra W1;
                @%p2 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [s], [%rd10], 512, [full], 15;
                W1:
                mbarrier.try_wait.parity.shared.b64 %p4, [full], 0;
                @!%p4 bra W1;
                ld.shared.v2.u32 {%r3, %r4}, [%r2];
                st.global.v2.u32 [%rd2], {%r3, %r4};
                SYNC
                """.replace("SYNC", SYNC);
        PtxProgram program = Bench.hopper(SHARED, body);
        try (Bench bench = new Bench(EmulatorOptions.defaults().withCheck(true).withProfile(true).withThreads(1))) {
            MemorySegment in = bench.ints(IntStream.range(0, 128).map(i -> 7 * i).toArray());
            MemorySegment out = bench.allocate(64 * THREADS * 4);
            bench.executor().launch(program.kernel("k"), new Dim3(4, 1, 1), new Dim3(THREADS, 1, 1), new Dim3(4, 1, 1), 0,
                    bench.arguments(in, out));
            int[] words = out.toArray(ValueLayout.JAVA_INT);
            for (int i = 0; i < 4 * THREADS; i++) {
                assertThat(words[16 * i + 1]).isEqualTo(7 * (2 * (i % THREADS) + 1));
            }
            KernelCounters counters = bench.executor().counters().get("k");
            KernelCounters.Line copy = counters.lines().values().stream().filter(l -> l.text.contains("multicast")).findFirst()
                    .orElseThrow();
            assertThat(copy.traffic.globalSectors).isEqualTo(512 / 32);
            assertThat(copy.traffic.sharedWavefronts).isEqualTo(4 * 512 / 128);
        }
    }
}
