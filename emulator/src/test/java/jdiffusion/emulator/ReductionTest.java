package jdiffusion.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.stream.IntStream;
import jdiffusion.emulator.DeviceFault.Kind;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Asynchronous reductions: {@code red.async} and {@code cp.reduce.async.bulk}, and bytes that are used too early. */
class ReductionTest {
    private static final int THREADS = 64;
    private static final int BLOCKS = 4;
    private static final String SHARED = """
            .shared .align 16 .b8 s[1024];
            .shared .align 8 .b64 full;
            .shared .align 8 .b64 again;
            """;
    private static final String SYNC = "barrier.cluster.arrive.aligned;\nbarrier.cluster.wait.aligned;\n";
    private static final String WAIT = """
            WAIT:
            mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 %p2, [full], 0;
            @!%p2 bra WAIT;
            """;

    /**
     * The first block's words s[0 .. 31], 8 bytes each, are 40, 41, ...; all threads of the four blocks change word
     * tid % 32 by their values of the first array, and each thread of the first block stores its word.
     */
    private static final String RED = """
            mov.u32 %r20, %cluster_ctarank;
            mad.lo.u32 %r1, %r20, 64, %r10;
            mul.wide.u32 %rd1, %r1, 8;
            add.s64 %rd1, %rd1, %rd10;
            ld.global.u64 %rd2, [%rd1];
            cvt.u32.u64 %r2, %rd2;
            and.b32 %r3, %r10, 31;
            shl.b32 %r4, %r3, 3;
            mov.u32 %r5, s;
            add.u32 %r5, %r5, %r4;
            setp.eq.s32 %p1, %r10, 0;
            setp.lt.u32 %p3, %r10, 32;
            @%p1 mbarrier.init.shared::cta.b64 [full], 1;
            @%p1 mbarrier.arrive.expect_tx.shared::cta.b64 _, [full], BYTES;
            fence.mbarrier_init.release.cluster;
            add.u32 %r6, %r10, 40;
            cvt.u64.u32 %rd3, %r6;
            @%p3 st.shared.u64 [%r5], %rd3;
            SYNC
            mov.u32 %r7, full;
            mapa.shared::cluster.u32 %r8, %r5, 0;
            mapa.shared::cluster.u32 %r9, %r7, 0;
            red.async.relaxed.cluster.shared::cluster.mbarrier::complete_tx::bytes.OP [%r8], VALUE, [%r9];
            setp.ne.u32 %p4, %r20, 0;
            @%p4 bra END;
            """ + WAIT + """
            ld.shared.u64 %rd4, [%r5];
            mul.wide.u32 %rd5, %r10, 8;
            add.s64 %rd5, %rd5, %rd11;
            st.global.u64 [%rd5], %rd4;
            END:
            SYNC
            """;

    private static MemorySegment cluster(Bench bench, String body, long... in) {
        MemorySegment out = bench.allocate(8L * THREADS);
        bench.executor().launch(Bench.hopper(SHARED, body.replace("SYNC", SYNC)).kernel("k"), new Dim3(BLOCKS, 1, 1),
                new Dim3(THREADS, 1, 1), new Dim3(BLOCKS, 1, 1), 0, bench.arguments(bench.longs(in), out));
        return out;
    }

    private static long[] values() {
        long[] values = new long[BLOCKS * THREADS];
        for (int i = 0; i < values.length; i++) {
            values[i] = i * 0x9e3779b97f4a7c15L;
        }
        return values;
    }

    private static long combined(String operation, long old, long with) {
        int a = (int) old;
        int b = (int) with;
        return switch (operation) {
            case "add.u64" -> old + with;
            case "add.s32", "add.u32" -> a + b;
            case "min.s32" -> Math.min(a, b);
            case "max.s32" -> Math.max(a, b);
            case "min.u32" -> Integer.compareUnsigned(a, b) < 0 ? a : b;
            case "max.u32" -> Integer.compareUnsigned(a, b) > 0 ? a : b;
            case "and.b32" -> a & b;
            case "or.b32" -> a | b;
            case "xor.b32" -> a ^ b;
            default -> throw new IllegalArgumentException(operation);
        };
    }

    @ParameterizedTest
    @ValueSource(strings = {"add.u32", "add.s32", "add.u64", "min.s32", "max.s32", "min.u32", "max.u32", "and.b32",
        "or.b32", "xor.b32"})
    void threadsOfAllBlocksReduce(String operation) {
        boolean wide = operation.endsWith("64");
        long[] in = values();
        for (long seed = 0; seed < 4; seed++) {
            try (Bench bench = new Bench(Faults.checked().withSeed(seed).withThreads(1))) {
                MemorySegment out = cluster(bench, RED.replace("OP", operation).replace("VALUE", wide ? "%rd2" : "%r2")
                        .replace("BYTES", Integer.toString(BLOCKS * THREADS * (wide ? 8 : 4))), in);
                for (int i = 0; i < THREADS; i++) {
                    long expected = 40 + i % 32;
                    for (int thread = i % 32; thread < in.length; thread += 32) {
                        expected = combined(operation, expected, in[thread]);
                    }
                    assertThat(out.getAtIndex(ValueLayout.JAVA_LONG, i)).as("word %d", i)
                            .isEqualTo(wide ? expected : expected & 0xffffffffL);
                }
            }
        }
    }

    private static DeviceFault fault(long seed, String body) {
        try (Bench bench = new Bench(Faults.checked().withSeed(seed).withThreads(1))) {
            return catchThrowableOfType(DeviceFault.class, () -> cluster(bench, body, values()));
        }
    }

    private static String red() {
        return RED.replace("OP", "add.u32").replace("VALUE", "%r2").replace("BYTES", "1024");
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3, 4, 5, 6, 7})
    void aWordIsReadBeforeItsSumHasCome(long seed) {
        assertThat(fault(seed, red())).isNull();
        DeviceFault early = fault(seed, red().replace("WAIT:\n", "ld.shared.u32 %r11, [%r5];\nWAIT:\n"));
        assertThat(early).isNotNull();
        assertThat(early.kind()).as(early.getMessage()).isIn(Kind.UNFINISHED_COPY, Kind.SHARED_RACE);
        assertThat(early).hasMessageContaining("red.async");
        DeviceFault never = fault(seed, red().replace("@!%p2 bra WAIT;", ""));
        assertThat(never).isNotNull();
        assertThat(never.kind()).as(never.getMessage()).isEqualTo(Kind.UNFINISHED_COPY);
        // Atomics of threads are in no race with it.
        assertThat(fault(seed, red().replace("setp.ne.u32 %p4", "@%p3 red.shared.add.u32 [%r5], 1;\nsetp.ne.u32 %p4")
                .replace("ld.shared.u64", "bar.sync 0;\nld.shared.u64"))).isNull();
        DeviceFault store = fault(seed, red().replace("setp.ne.u32 %p4", "st.shared.u32 [%r5], 1;\nsetp.ne.u32 %p4"));
        assertThat(store).isNotNull();
        assertThat(store.kind()).as(store.getMessage()).isIn(Kind.UNFINISHED_COPY, Kind.SHARED_RACE);
    }

    /** Two sums of the same word are counted at two barriers, and only one is waited for. */
    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3, 4, 5, 6, 7})
    void anotherSumOfTheWordIsStillOnItsWay(long seed) {
        String body = """
                mov.u32 %r20, %cluster_ctarank;
                setp.eq.s32 %p1, %r10, 0;
                shl.b32 %r1, %r10, 2;
                mov.u32 %r2, s;
                add.u32 %r2, %r2, %r1;
                st.shared.u32 [%r2], %r10;
                @%p1 mbarrier.init.shared::cta.b64 [full], 1;
                @%p1 mbarrier.init.shared::cta.b64 [again], 1;
                @%p1 mbarrier.arrive.expect_tx.shared::cta.b64 _, [full], 256;
                @%p1 mbarrier.arrive.expect_tx.shared::cta.b64 _, [again], 256;
                fence.mbarrier_init.release.cluster;
                bar.sync 0;
                mapa.shared::cluster.u32 %r3, %r2, %r20;
                mov.u32 %r4, full;
                mapa.shared::cluster.u32 %r4, %r4, %r20;
                mov.u32 %r5, again;
                mapa.shared::cluster.u32 %r5, %r5, %r20;
                red.async.relaxed.cluster.shared::cluster.mbarrier::complete_tx::bytes.add.u32 [%r3], 1, [%r4];
                red.async.relaxed.cluster.shared::cluster.mbarrier::complete_tx::bytes.add.u32 [%r3], 1, [%r5];
                """ + WAIT + "OTHER\nld.shared.u32 %r6, [%r2];\n" + WAIT.replace("full", "again").replace("WAIT", "LAST");
        assertThat(fault(seed, body.replace("OTHER", WAIT.replace("full", "again").replace("WAIT", "FIRST")))).isNull();
        DeviceFault fault = fault(seed, body.replace("OTHER", ""));
        assertThat(fault).isNotNull();
        assertThat(fault.kind()).as(fault.getMessage()).isEqualTo(Kind.UNFINISHED_COPY);
        assertThat(fault).hasMessageContaining("while the reduction of thread").hasMessageContaining("[%r5];");
    }

    /** Each thread stores 16 bytes of the first array in s, and those go to the second array all together. */
    private static final String BULK = """
            shl.b32 %r1, %r10, 4;
            mov.u32 %r2, s;
            add.u32 %r2, %r2, %r1;
            cvt.u64.u32 %rd1, %r1;
            add.s64 %rd2, %rd1, %rd10;
            ld.global.v4.u32 {%r4, %r5, %r6, %r7}, [%rd2];
            st.shared.v4.u32 [%r2], {%r4, %r5, %r6, %r7};
            fence.proxy.async.shared::cta;
            bar.sync 0;
            setp.eq.s32 %p1, %r10, 0;
            @%p1 cp.reduce.async.bulk.global.shared::cta.bulk_group.OP [%rd11], [s], 1024;
            @%p1 cp.async.bulk.commit_group;
            @%p1 cp.async.bulk.wait_group 0;
            """;

    private static MemorySegment bulk(Bench bench, String body, MemorySegment in, MemorySegment out, int blocks) {
        bench.executor().launch(Bench.hopper(SHARED, body).kernel("k"), new Dim3(blocks, 1, 1), new Dim3(THREADS, 1, 1), null,
                0, bench.arguments(in, out));
        return out;
    }

    /** Random bytes as numbers of that many bytes; as floats they have small exponents. */
    private static byte[] bytes(int seed, String type) {
        byte[] bytes = new byte[1024];
        new java.util.Random(seed).nextBytes(bytes);
        int width = Integer.parseInt(type.replaceAll("\\D", "")) / 8;
        for (int i = width - 1; i < 1024 && type.contains("f"); i += width) {
            bytes[i] = (byte) (0x3c | bytes[i] & 0x81);
        }
        return bytes;
    }

    private static long number(MemorySegment of, int i, int width) {
        return switch (width) {
            case 2 -> of.getAtIndex(ValueLayout.JAVA_SHORT, i);
            case 4 -> of.getAtIndex(ValueLayout.JAVA_INT, i);
            default -> of.getAtIndex(ValueLayout.JAVA_LONG, i);
        };
    }

    private static float bfloat(long bits) {
        return Float.intBitsToFloat((int) bits << 16);
    }

    private static long bfloat(float value) {
        int bits = Float.floatToRawIntBits(value);
        return bits + 0x7fff + (bits >>> 16 & 1) >> 16;
    }

    private static long expected(String operation, long a, long b) {
        float x = Float.float16ToFloat((short) a);
        float y = Float.float16ToFloat((short) b);
        return switch (operation) {
            case "add.f32" -> Float.floatToRawIntBits(Float.intBitsToFloat((int) a) + Float.intBitsToFloat((int) b));
            case "add.f64" -> Double.doubleToRawLongBits(Double.longBitsToDouble(a) + Double.longBitsToDouble(b));
            case "add.noftz.f16" -> Float.floatToFloat16(x + y);
            case "min.f16" -> Float.floatToFloat16(Math.min(x, y));
            case "max.f16" -> Float.floatToFloat16(Math.max(x, y));
            case "add.noftz.bf16" -> bfloat(bfloat(a) + bfloat(b));
            case "min.bf16" -> bfloat(Math.min(bfloat(a), bfloat(b)));
            case "max.bf16" -> bfloat(Math.max(bfloat(a), bfloat(b)));
            case "min.s64" -> Math.min(a, b);
            case "max.u64" -> Long.compareUnsigned(a, b) > 0 ? a : b;
            case "and.b64" -> a & b;
            case "xor.b64" -> a ^ b;
            case "inc.u32" -> Integer.compareUnsigned((int) a, (int) b) >= 0 ? 0 : (int) a + 1;
            case "dec.u32" -> (int) a == 0 || Integer.compareUnsigned((int) a, (int) b) > 0 ? (int) b : (int) a - 1;
            default -> combined(operation, a, b);
        };
    }

    @ParameterizedTest
    @CsvSource({"add.noftz.f16, 2", "add.noftz.bf16, 2", "min.f16, 2", "max.f16, 2", "min.bf16, 2", "max.bf16, 2",
        "add.f32, 4", "add.u32, 4", "min.s32, 4", "max.u32, 4", "inc.u32, 4", "dec.u32, 4", "or.b32, 4", "add.f64, 8",
        "add.u64, 8", "min.s64, 8", "max.u64, 8", "and.b64, 8", "xor.b64, 8"})
    void intoGlobalMemory(String operation, int width) {
        byte[] first = bytes(1, operation);
        byte[] second = bytes(2, operation);
        for (long seed = 0; seed < 3; seed++) {
            try (Bench bench = new Bench(Faults.checked().withSeed(seed).withThreads(1))) {
                MemorySegment in = bench.allocate(1024).copyFrom(MemorySegment.ofArray(first));
                MemorySegment out = bench.allocate(1024).copyFrom(MemorySegment.ofArray(second));
                bulk(bench, BULK.replace("OP", operation), in, out, 1);
                MemorySegment before = bench.allocate(1024).copyFrom(MemorySegment.ofArray(second));
                for (int i = 0; i < 1024 / width; i++) {
                    long expected = expected(operation, number(before, i, width), number(in, i, width));
                    assertThat(number(out, i, width)).as("number %d", i).isEqualTo(switch (width) {
                        case 2 -> (short) expected;
                        case 4 -> (int) expected;
                        default -> expected;
                    });
                }
            }
        }
    }

    /** Blocks on several threads add to the same words: none is lost. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void manyBlocksAddAtATime(int workers) {
        try (Bench bench = new Bench(Faults.checked().withThreads(workers))) {
            MemorySegment in = bench.ints(IntStream.range(0, 256).toArray());
            MemorySegment out = bulk(bench, BULK.replace("OP", "add.u32"), in, bench.allocate(1024), 100);
            assertThat(out.toArray(ValueLayout.JAVA_INT)).containsExactly(IntStream.range(0, 256).map(i -> 100 * i).toArray());
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3})
    void whatABulkReductionMustWaitFor(long seed) {
        try (Bench bench = new Bench(Faults.checked().withSeed(seed).withThreads(1))) {
            String body = BULK.replace("OP", "add.u32");
            MemorySegment memory = bench.allocate(1024);
            DeviceFault fence = catchThrowableOfType(DeviceFault.class, () -> bulk(bench,
                    body.replace("fence.proxy.async.shared::cta;", ""), memory, memory, 1));
            assertThat(fence.kind()).as(fence.getMessage()).isEqualTo(Kind.MISSING_FENCE);
            DeviceFault never = catchThrowableOfType(DeviceFault.class, () -> bulk(bench,
                    body.replace("@%p1 cp.async.bulk.wait_group 0;", ""), memory, memory, 1));
            assertThat(never.kind()).as(never.getMessage()).isEqualTo(Kind.UNFINISHED_COPY);
            DeviceFault again = catchThrowableOfType(DeviceFault.class, () -> bulk(bench,
                    body.replace("@%p1 cp.async.bulk.wait_group 0;", "@%p1 st.shared.u32 [%r2], 0;\n"
                            + "@%p1 cp.async.bulk.wait_group 0;"), memory, memory, 1));
            assertThat(again.kind()).as(again.getMessage()).isEqualTo(Kind.UNFINISHED_COPY);
        }
    }

    /** Each block but the first adds its 128 bytes to those of the first, which stores them. */
    private static final String BETWEEN = """
            mov.u32 %r20, %cluster_ctarank;
            setp.eq.s32 %p1, %r10, 0;
            setp.ne.u32 %p4, %r20, 0;
            setp.lt.u32 %p3, %r10, 32;
            shl.b32 %r1, %r10, 2;
            mov.u32 %r2, s;
            add.u32 %r2, %r2, %r1;
            mad.lo.u32 %r3, %r20, 1000, %r10;
            st.shared.u32 [%r2], %r3;
            @%p1 mbarrier.init.shared::cta.b64 [full], 1;
            @%p1 mbarrier.arrive.expect_tx.shared::cta.b64 _, [full], 384;
            PROXY
            fence.mbarrier_init.release.cluster;
            SYNC
            mov.u32 %r4, s;
            mapa.shared::cluster.u32 %r5, %r4, 0;
            mov.u32 %r6, full;
            mapa.shared::cluster.u32 %r6, %r6, 0;
            and.pred %p5, %p1, %p4;
            @%p5 cp.reduce.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes.add.u32 [%r5], [s], 128, [%r6];
            @%p4 bra END;
            BEFORE
            """ + WAIT + """
            @%p3 ld.shared.u32 %r7, [%r2];
            mul.wide.u32 %rd5, %r10, 8;
            add.s64 %rd5, %rd5, %rd11;
            cvt.u64.u32 %rd6, %r7;
            @%p3 st.global.u64 [%rd5], %rd6;
            END:
            SYNC
            """;

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3, 4, 5, 6, 7})
    void betweenBlocks(long seed) {
        String proxy = "fence.proxy.async.shared::cta;";
        try (Bench bench = new Bench(Faults.checked().withSeed(seed).withThreads(1))) {
            MemorySegment out = cluster(bench, BETWEEN.replace("PROXY", proxy).replace("BEFORE", ""), 0);
            assertThat(Arrays.copyOf(out.toArray(ValueLayout.JAVA_LONG), 32))
                    .containsExactly(IntStream.range(0, 32).mapToLong(i -> 6000 + 4 * i).toArray());
        }
        DeviceFault fence = fault(seed, BETWEEN.replace("PROXY", "").replace("BEFORE", ""));
        assertThat(fence.kind()).as(fence.getMessage()).isEqualTo(Kind.MISSING_FENCE);
        DeviceFault early = fault(seed, BETWEEN.replace("PROXY", proxy).replace("BEFORE", "@%p3 ld.shared.u32 %r8, [%r2];"));
        assertThat(early).isNotNull();
        assertThat(early.kind()).as(early.getMessage()).isIn(Kind.UNFINISHED_COPY, Kind.SHARED_RACE);
        assertThat(early).hasMessageContaining("cp.reduce.async.bulk");
        DeviceFault stored = fault(seed, BETWEEN.replace("PROXY", proxy).replace("BEFORE", "st.shared.u32 [%r2], 0;"));
        assertThat(stored).isNotNull();
        assertThat(stored.kind()).as(stored.getMessage()).isIn(Kind.UNFINISHED_COPY, Kind.SHARED_RACE,
                Kind.MISSING_FENCE);
    }

    @ParameterizedTest
    @ValueSource(strings = {"cp.reduce.async.bulk.global.shared::cta.bulk_group.inc.s32 [%rd11], [s], 1024;",
        "cp.reduce.async.bulk.global.shared::cta.bulk_group.min.f32 [%rd11], [s], 1024;",
        "cp.reduce.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.add.u32 [s], [%rd11], 16, [full];",
        "red.async.relaxed.cluster.shared::cluster.mbarrier::complete_tx::bytes.add.f32 [%r1], %f1, [%r2];",
        "multimem.red.relaxed.sys.global.add.u32 [%rd11], %r1;"})
    void whatIsRefused(String instruction) {
        PtxException refused = catchThrowableOfType(PtxException.class, () -> Bench.hopper(SHARED, instruction));
        assertThat(refused).hasMessageContaining("kernel k: this instruction is not supported")
                .hasMessageContaining(": `" + instruction + "`");
    }
}
