package jdiffusion.emulator;

import static jdiffusion.emulator.Faults.assertFault;
import static jdiffusion.emulator.Faults.checked;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.lang.foreign.MemorySegment;
import jdiffusion.emulator.DeviceFault.Kind;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Faults around bulk copies, barriers that count their bytes, and products of warpgroups, each planted on purpose. */
class AsyncFaultTest {
    private static final String SHARED = ".shared .align 1024 .b8 s[4096];\n.shared .align 8 .b64 full;\n"
            + ".shared .align 8 .b64 empty;\n";

    /** Thread 0 copies 512 bytes to s; threads 32 to 63 read them. */
    private static final String LOAD = """
            setp.eq.s32 %p1, %r10, 0;
            setp.ge.u32 %p4, %r10, 32;
            and.b32 %r1, %r10, 31;
            shl.b32 %r1, %r1, 2;
            @%p1 mbarrier.init.shared::cta.b64 [full], 1;
            @%p1 mbarrier.init.shared::cta.b64 [empty], 32;
            @%p1 fence.mbarrier_init.release.cluster;
            bar.sync 0;
            @%p1 mbarrier.arrive.expect_tx.shared::cta.b64 _, [full], BYTES;
            @%p1 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [s], [%rd10], 512, [full];
            """;
    private static final String WAIT = """
            W1:
            mbarrier.try_wait.parity.shared::cta.b64 %p2, [full], 0;
            @!%p2 bra W1;
            """;
    private static final String READ = "ld.shared.u32 %r3, [%r1];\n";

    /** s goes to global memory, from thread 0. */
    private static final String STORE = """
            setp.eq.s32 %p1, %r10, 0;
            shl.b32 %r1, %r10, 2;
            st.shared.u32 [%r1], %r10;
            PROXY
            bar.sync 0;
            @%p1 cp.async.bulk.global.shared::cta.bulk_group [%rd11], [s], 256;
            @%p1 cp.async.bulk.commit_group;
            WAIT
            bar.sync 0;
            AFTER
            """;

    /** The product of 64 rows in the first 2 KB of s and 8 columns behind them. */
    private static final String PRODUCT = """
            shl.b32 %r1, %r10, 4;
            setp.lt.u32 %p1, %r10, 16;
            setp.eq.u32 %p2, %r10, %r10;
            setp.lt.u32 %p3, %r10, 96;
            st.shared.v4.u32 [%r1], {%r10, %r10, %r10, %r10};
            @%p1 st.shared.v4.u32 [%r1+2048], {%r10, %r10, %r10, %r10};
            mov.f32 %f0, 0f00000000;
            mov.f32 %f1, %f0;
            mov.f32 %f2, %f0;
            mov.f32 %f3, %f0;
            mov.u32 %r5, 0;
            mov.u32 %r6, 0;
            mov.u32 %r7, 0;
            mov.u32 %r8, 0;
            PROXY
            bar.sync 0;
            FENCE
            wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%f0, %f1, %f2, %f3}, FACTORS;
            wgmma.commit_group.sync.aligned;
            BEFORE
            WAIT
            AFTER
            """;
    private static final String PROXY = "fence.proxy.async.shared::cta;";
    private static final String FENCE = "wgmma.fence.sync.aligned;";
    private static final String WAIT_PRODUCT = "wgmma.wait_group.sync.aligned 0;";
    private static final long COLUMNS = 2048 >> 4 | 128L >> 4 << 16 | 128L >> 4 << 32;
    private static final String FACTORS = (1024L >> 4 << 16 | 128L >> 4 << 32) + ", " + COLUMNS + ", %p2, 1, 1, 0, 0";
    private static final String FRAGMENT = "{%r5, %r6, %r7, %r8}, " + COLUMNS + ", %p2, 1, 1, 0";

    private static DeviceFault fault(long seed, String body, int threads) {
        PtxProgram program = Bench.hopper(SHARED, body);
        try (Bench bench = new Bench(checked().withSeed(seed).withThreads(1))) {
            MemorySegment in = bench.allocate(1024);
            MemorySegment out = bench.allocate(1024);
            return catchThrowableOfType(DeviceFault.class,
                    () -> bench.launch(program, "k", 1, threads, 0, in, out));
        }
    }

    private static DeviceFault copies(long seed, String body) {
        return fault(seed, body.replace("BYTES", "512"), 64);
    }

    private static DeviceFault product(long seed, String... replaced) {
        String body = PRODUCT;
        for (int i = 0; i < replaced.length; i += 2) {
            body = body.replace(replaced[i], replaced[i + 1]);
        }
        return fault(seed, body.replace("PROXY", PROXY).replace("FENCE", FENCE).replace("FACTORS", FACTORS)
                .replace("BEFORE", "").replace("WAIT", WAIT_PRODUCT).replace("AFTER", ""), 128);
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3, 4, 5, 6, 7})
    void readingWhatACopyMayStillWrite(long seed) {
        assertThat(copies(seed, LOAD + WAIT + READ)).isNull();
        DeviceFault fault = copies(seed, LOAD + "bar.sync 0;\n" + READ);
        assertFault(fault, Kind.UNFINISHED_COPY, READ.strip(), 0, fault.thread());
        assertThat(fault).hasMessageContaining("the copy of thread 0 (warp 0, lane 0) at line")
                .hasMessageContaining("for which nobody has waited at its barrier");
        // Somebody else has waited, and no barrier hands that on.
        DeviceFault other = copies(seed, LOAD + "@%p4 bra SKIP;\n" + WAIT + "SKIP:\n@%p4 " + READ + "bar.sync 0;\n");
        assertThat(other).isNotNull();
        assertThat(other.kind()).as(other.getMessage())
                .isIn(Kind.UNFINISHED_COPY, Kind.SHARED_RACE, Kind.UNINITIALISED_SHARED);
        assertThat(copies(seed, LOAD + "@%p4 bra SKIP;\n" + WAIT + "SKIP:\nbar.sync 0;\n@%p4 " + READ)).isNull();
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3, 4, 5, 6, 7})
    void theWrongParity(long seed) {
        DeviceFault fault = copies(seed, LOAD + WAIT.replace("[full], 0", "[full], 1") + READ);
        assertThat(fault.kind()).as(fault.getMessage()).isIn(Kind.UNFINISHED_COPY, Kind.DEADLOCK,
                Kind.UNINITIALISED_SHARED);
        assertThat(fault.getMessage()).contains(fault.kind() == Kind.DEADLOCK ? "try_wait" : "ld.shared");
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3, 4, 5, 6, 7})
    void overwritingWhatOthersStillRead(long seed) {
        String body = LOAD + WAIT + "@%p4 " + READ + """
                @%p4 mbarrier.arrive.shared::cta.b64 _, [empty];
                @!%p1 bra END;
                EMPTY
                mbarrier.arrive.expect_tx.shared::cta.b64 _, [full], 512;
                cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [s], [%rd10], 512, [full];
                W3:
                mbarrier.try_wait.parity.shared::cta.b64 %p2, [full], 1;
                @!%p2 bra W3;
                END:
                """;
        assertThat(copies(seed, body.replace("EMPTY", "W2:\nmbarrier.try_wait.parity.shared::cta.b64 %p3, [empty], 0;\n"
                + "@!%p3 bra W2;"))).isNull();
        DeviceFault fault = copies(seed, body.replace("EMPTY", ""));
        assertThat(fault).isNotNull();
        // Who comes so late that another phase is over waits for one that never comes.
        assertThat(fault.kind()).as(fault.getMessage()).isIn(Kind.UNFINISHED_COPY, Kind.SHARED_RACE, Kind.DEADLOCK);
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3})
    void storingToWhereACopyIsUnderWay(long seed) {
        String store = "st.shared.u32 [%r1], %r10;\n";
        DeviceFault fault = copies(seed, LOAD + "bar.sync 0;\n@%p4 " + store + WAIT);
        assertThat(fault.kind()).as(fault.getMessage()).isIn(Kind.UNFINISHED_COPY, Kind.SHARED_RACE);
        assertThat(fault).hasMessageContaining("`@%p4 st.shared.u32");
        assertThat(copies(seed, LOAD + WAIT + "bar.sync 0;\n@%p4 " + store)).isNull();
    }

    @Test
    void copiesThatNobodyWaitsFor() {
        for (long seed = 0; seed < 4; seed++) {
            DeviceFault fault = copies(seed, LOAD);
            assertFault(fault, Kind.UNFINISHED_COPY, "@%p1 cp.async.bulk.shared::cluster.global", 0, 0);
            assertThat(fault).hasMessageContaining("the block ends, and nobody has waited for this copy");
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3, 4, 5, 6, 7})
    void copiesToGlobalMemory(long seed) {
        String wait = "@%p1 cp.async.bulk.wait_group.read 0;";
        String overwrite = "st.shared.u32 [%r1], %r10;";
        assertThat(fault(seed, STORE.replace("PROXY", PROXY).replace("WAIT", wait).replace("AFTER", overwrite), 64))
                .isNull();
        DeviceFault unfenced = fault(seed, STORE.replace("PROXY", "").replace("WAIT", wait).replace("AFTER", ""), 64);
        assertFault(unfenced, Kind.MISSING_FENCE, "@%p1 cp.async.bulk.global.shared::cta", 0, 0);
        assertThat(unfenced).hasMessageContaining("with no fence.proxy.async between");
        DeviceFault early = fault(seed, STORE.replace("PROXY", PROXY).replace("WAIT", "").replace("AFTER", overwrite), 64);
        assertFault(early, Kind.UNFINISHED_COPY, overwrite, 0, early.thread());
        DeviceFault never = fault(seed, STORE.replace("PROXY", PROXY).replace("WAIT", "").replace("AFTER", ""), 64);
        assertFault(never, Kind.UNFINISHED_COPY, "@%p1 cp.async.bulk.global.shared::cta", 0, 0);
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3})
    void phasesThatNeverEnd(long seed) {
        DeviceFault bytes = fault(seed, LOAD.replace("BYTES", "1024") + WAIT, 64);
        assertThat(bytes.kind()).isEqualTo(Kind.DEADLOCK);
        assertThat(bytes).hasMessageContaining("mbarrier.try_wait.parity").hasMessageContaining("it waits at the barrier"
                + " at shared byte 4096, where 0 of 1 arrivals and 512 bytes of copies are missing in the phase of"
                + " parity 0, and nothing happens any more");
        DeviceFault arrivals = copies(seed, LOAD + WAIT + WAIT.replace("full", "empty").replace("W1", "W2"));
        assertThat(arrivals).hasMessageContaining("where 32 of 32 arrivals and 0 bytes of copies are missing");
    }

    @Test
    void moreArrivalsThanAPhaseTakes() {
        DeviceFault fault = copies(0, LOAD + WAIT + "@%p4 mbarrier.arrive.shared::cta.b64 _, [full], 2;\n");
        assertThat(fault.kind()).isEqualTo(Kind.BARRIER);
        assertThat(fault).hasMessageContaining("2 arrivals at the barrier at shared byte 4096, where 1 of 1 arrivals");
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3, 4, 5, 6, 7})
    void registersOfAProductThatIsUnderWay(long seed) {
        assertThat(product(seed, "AFTER", "add.f32 %f4, %f0, %f1;")).isNull();
        for (String use : new String[] {"add.f32 %f4, %f4, %f1;", "mov.f32 %f2, 0f00000000;"}) {
            DeviceFault fault = product(seed, "BEFORE", use);
            assertFault(fault, Kind.UNFINISHED_PRODUCT, use, 0, fault.thread());
        }
        assertThat(product(seed, "FACTORS", FRAGMENT)).isNull();
        DeviceFault fragment = product(seed, "FACTORS", FRAGMENT, "BEFORE", "add.u32 %r6, %r6, 1;");
        assertFault(fragment, Kind.UNFINISHED_PRODUCT, "add.u32 %r6, %r6, 1;", 0, fragment.thread());
        DeviceFault never = product(seed, "WAIT", "", "AFTER", "st.global.f32 [%rd11], %f3;");
        assertThat(never.kind()).isEqualTo(Kind.UNFINISHED_PRODUCT);
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3})
    void fencesThatAreMissing(long seed) {
        DeviceFault proxy = product(seed, "PROXY", "");
        assertFault(proxy, Kind.MISSING_FENCE, "wgmma.mma_async", 0, proxy.thread());
        assertThat(proxy).hasMessageContaining("with no fence.proxy.async between").hasMessageContaining("st.shared.v4");
        DeviceFault first = product(seed, "FENCE", "");
        assertFault(first, Kind.MISSING_FENCE, "wgmma.mma_async", 0, first.thread());
        DeviceFault sums = product(seed, "FENCE", FENCE + "\nmov.f32 %f1, %f4;");
        assertFault(sums, Kind.MISSING_FENCE, "wgmma.mma_async", 0, sums.thread());
        assertThat(sums).hasMessageContaining("a register of its sum was used with no wgmma.fence since");
        DeviceFault fragment = product(seed, "FACTORS", FRAGMENT, "FENCE", FENCE + "\nmov.u32 %r7, %r10;");
        assertThat(fragment).hasMessageContaining("a register of its fragment was used with no wgmma.fence since");
        assertThat(product(seed, "FENCE", FENCE + "\nmov.u32 %r7, %r10;")).as("no register of the product").isNull();
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3})
    void overwritingTheFactorsOfAProduct(long seed) {
        String store = "st.shared.u32 [%r1], %r10;";
        assertThat(product(seed, "AFTER", "bar.sync 0;\n" + store)).isNull();
        DeviceFault fault = product(seed, "BEFORE", "bar.sync 0;\n" + store);
        assertFault(fault, Kind.UNFINISHED_COPY, store, 0, fault.thread());
        assertThat(fault).hasMessageContaining("while the asynchronous instruction of thread")
                .hasMessageContaining("wgmma.mma_async");
    }

    @Test
    void aWarpThatStaysAway() {
        DeviceFault fault = product(0, "FENCE", "@!%p3 bra END;\n" + FENCE, "AFTER", "END:");
        assertThat(fault.kind()).isEqualTo(Kind.DEADLOCK);
        assertThat(fault).hasMessageContaining("it waits for the product of its warpgroup that warp 3 has not issued");
    }

    @Test
    void registersThatAWarpgroupTakes() {
        String body = """
                setp.ge.u32 %p1, %r10, 256;
                @%p1 bra PRODUCER;
                setmaxnreg.inc.sync.aligned.u32 COUNT;
                bra END;
                PRODUCER:
                setmaxnreg.dec.sync.aligned.u32 40;
                END:
                """;
        assertThat(fault(0, body.replace("COUNT", "232"), 384)).isNull();
        DeviceFault fault = fault(0, body.replace("COUNT", "240"), 384);
        assertThat(fault.kind()).isEqualTo(Kind.DEADLOCK);
        assertThat(fault).hasMessageContaining("it waits for 240 registers for each thread");
    }
}
