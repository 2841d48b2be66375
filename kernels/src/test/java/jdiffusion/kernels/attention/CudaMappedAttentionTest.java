package jdiffusion.kernels.attention;

import static jdiffusion.kernels.attention.AttentionReference.assertSame;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import jdiffusion.emulator.KernelCounters;
import jdiffusion.kernels.DeviceException;
import jdiffusion.kernels.Samples;
import jdiffusion.kernels.cuda.KernelSource;
import jdiffusion.kernels.cuda.OnDevice;
import jdiffusion.kernels.cuda.PlantedFault;
import jdiffusion.kernels.cuda.TestDevice;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Attention by the kernels of compute capability 9.0. */
@OnDevice
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class CudaMappedAttentionTest {
    private static final int ALIGNED = 8;

    private TestDevice device;

    @BeforeAll
    void open() {
        device = TestDevice.sm90(DType.BF16, KernelSource.BUILT_IN, 0);
        assumeTrue(device.cuda().takesSm90(), "a card of another compute capability");
    }

    @AfterAll
    void close() {
        device.close();
    }

    @AfterEach
    void clear() {
        device.clear();
    }

    /** One tile of keys and several, whole and not, more rounds than stages; streams that only ask or are asked. */
    static Stream<AttentionCase> cases() {
        return Stream.concat(IntStream.of(64, 72, 128, 256).boxed().flatMap(d -> Stream.of(
                AttentionCase.of(1, 2, d, 1),
                AttentionCase.of(1, 1, d, 128),
                AttentionCase.of(2, 2, d, 193, 77).norm(DType.F32),
                AttentionCase.of(1, 1, d, longer(d), 33).norm(DType.BF16).turned(0),
                AttentionCase.of(1, 1, d, 130).scale(1).spread(30),
                AttentionCase.of(1, 2, d, 20, 0, 137).silent(2),
                AttentionCase.cross(2, 1, d, 260, 300))),
                Stream.of(
                        AttentionCase.of(2, 1, 128, 65, 30).norm(DType.BF16).turned(0),
                        AttentionCase.of(2, 2, 72, 70).layerNorm().turned(0),
                        AttentionCase.of(1, 3, 72, 400, 129).norm(DType.F16).turned(0, 1),
                        AttentionCase.of(1, 1, 128, 129, 400, 257).asking(1),
                        AttentionCase.of(1, 1, 256, 80),
                        AttentionCase.of(1, 1, 256, 81, 160),
                        AttentionCase.of(1, 2, 256, 60, 37).layerNorm().turned(0),
                        AttentionCase.of(1, 1, 256, 129, 250, 161).asking(1)));
    }

    /** Tokens of two tiles more than a ring has stages. */
    private static int longer(int channels) {
        return channels == 64 ? 700 : channels == 256 ? 321 : 600;
    }

    @ParameterizedTest
    @MethodSource("cases")
    void isAsCloseToTheDefinitionAsNaiveCode(AttentionCase problem) {
        PlacedAttention.check(device, problem, DType.BF16, ALIGNED);
        assertThat(device.cuda().kernelNames()).contains("attention_%d_sm90_bf16".formatted(
                problem.shape().headDim()));
    }

    @ParameterizedTest
    @ValueSource(ints = {64, 72, 128, 256})
    void takesFloat16(int channels) {
        PlacedAttention.check(device, AttentionCase.of(1, 2, channels, 100, 177).norm(DType.F32), DType.F16, ALIGNED);
        assertThat(device.cuda().kernelNames()).contains("attention_%d_sm90_f16".formatted(channels));
    }

    @ParameterizedTest
    @ValueSource(ints = {64, 72, 128, 256})
    void mayWriteOverQ(int channels) {
        AttentionCase problem = AttentionCase.of(1, 2, channels, 300, 77);
        PlacedAttention apart = PlacedAttention.of(device, problem, DType.BF16, ALIGNED, false);
        PlacedAttention inPlace = PlacedAttention.of(device, problem, DType.BF16, ALIGNED, true);
        apart.run();
        inPlace.run();
        assertSame(inPlace.outputs(), apart.outputs());
    }

    @ParameterizedTest
    @ValueSource(ints = {64, 72, 128, 256})
    void doesNotDependOnTheRestOfTheBatch(int channels) {
        AttentionCase problem = AttentionCase.of(3, 2, channels, 200, 33).norm(DType.F32);
        PlacedAttention all = PlacedAttention.of(device, problem, DType.BF16, ALIGNED, false);
        PlacedAttention one = PlacedAttention.of(device, problem, DType.BF16, ALIGNED, false).only(2);
        all.run();
        one.run();
        for (int s = 0; s < 2; s++) {
            int size = one.outputs().get(s).length;
            assertThat(one.outputs().get(s))
                    .isEqualTo(Arrays.copyOfRange(all.outputs().get(s), 2 * size, 3 * size));
        }
    }

    /** One key wins by far, in a later tile, so the answer is its value, and nothing overflows on the way. */
    @ParameterizedTest
    @ValueSource(ints = {64, 72, 128, 256})
    void survivesLogitsOfAnySize(int channels) {
        int n = 200;
        float[] q = new float[n * channels];
        float[] k = new float[n * channels];
        float[] v = new float[n * channels];
        Arrays.fill(q, 1e15f);
        for (int i = 0; i < n; i++) {
            Arrays.fill(k, i * channels, (i + 1) * channels, i == 133 ? 1e15f : -1e15f * (i + 1));
            Arrays.fill(v, i * channels, (i + 1) * channels, i);
        }
        Tensor out = device.empty(DType.BF16, 1, n, channels);
        new CudaAttention(device.cuda()).run(AttentionShape.of(1, 1, channels), List.of(AttentionStream.of(
                device.put(DType.BF16, q, 1, n, channels), device.put(DType.BF16, k, 1, n, channels),
                device.put(DType.BF16, v, 1, n, channels), out)), null);
        assertThat(device.get(out)).containsOnly(133f);
    }

    /** Masks, biases, counted keys, and rows that the TMA does not take. */
    @Test
    void othersRunTheKernelsOfAllCards() {
        device.close();
        try (TestDevice other = TestDevice.sm90(DType.BF16, KernelSource.BUILT_IN, 0)) {
            PlacedAttention.check(other, AttentionCase.of(1, 1, 64, 40).causal(), DType.BF16, ALIGNED);
            PlacedAttention.check(other, AttentionCase.of(1, 1, 64, 40).scale(1).biased(), DType.BF16, ALIGNED);
            PlacedAttention.check(other, AttentionCase.of(2, 1, 64, 40).counts(0, 9, 40), DType.BF16, ALIGNED);
            PlacedAttention.check(other, AttentionCase.of(1, 1, 64, 40), DType.BF16, 1);
            assertThat(other.cuda().kernelNames()).containsExactly("attention_64_bf16", "attention_plain_bf16");
        } finally {
            open();
        }
    }

    /** Whenever copies land and in whatever order warps run. */
    @ParameterizedTest
    @CsvSource({"64, 1", "64, 2", "64, 3", "72, 1", "128, 1", "128, 2", "256, 1", "256, 2",
        "256, 3"})
    void theSeedChangesNothing(int channels, long seed) {
        assumeFalse(TestDevice.isReal(), "only the emulated device has seeds");
        float[] expected = run(device, channels);
        device.close();
        try (TestDevice other = TestDevice.sm90(DType.BF16, KernelSource.BUILT_IN, seed)) {
            assertThat(run(other, channels)).isEqualTo(expected);
        } finally {
            open();
        }
    }

    /** More tiles of keys than stages, more queries than a block's. */
    private static float[] run(TestDevice device, int channels) {
        return run(device, channels, longer(channels));
    }

    private static float[] run(TestDevice device, int channels, int n) {
        Tensor x = device.put(DType.BF16, Samples.normal(1, n * channels, 0, 1), 1, n, channels);
        Tensor out = device.empty(DType.BF16, 1, n, channels);
        new CudaAttention(device.cuda()).run(AttentionShape.of(1, 1, channels),
                List.of(AttentionStream.of(x, x, x, out)), null);
        return device.get(out);
    }

    /**
     * Keys and values come once for each block of queries, nothing of a tile beyond the stream's end is read, and shared
     * memory loses no cycle to bank conflicts. A row of 144 bytes is four and a half sectors; its two boxes touch five or
     * six.
     *
     * @param tile    keys
     * @param sectors at most, for each ideal one
     */
    @ParameterizedTest
    @CsvSource({"64, 192, 128, 1", "72, 192, 128, 1.25", "128, 128, 128, 1", "256, 128, 80, 1"})
    void readsKeysAndValuesOncePerBlockOfQueries(int channels, int queries, int tile, double sectors) {
        assumeFalse(TestDevice.isReal(), "only the emulated device counts");
        int n = 3 * tile + 20;
        device.close();
        try (TestDevice other = TestDevice.profiling(90)) {
            run(other, channels, n);
            KernelCounters counters = other.counters().get("attention_%d_sm90_bf16".formatted(channels));
            KernelCounters.Traffic traffic = counters.traffic();
            int blocks = Math.ceilDiv(n, queries);
            long bytes = (long) n * channels * DType.BF16.bytes();
            assertThat(counters.blocks()).isEqualTo(blocks);
            assertThat(traffic.globalBytesWritten).as("written: the output").isEqualTo(bytes);
            assertThat(32.0 * traffic.globalSectorsRead).as("read: q once, k and v for each block")
                    .isBetween((1.0 + 2 * blocks) * bytes, sectors * (1 + 2 * blocks) * bytes);
            assertThat(traffic.sharedConflictCycles).as("cycles lost to bank conflicts").isZero();
        } finally {
            open();
        }
    }

    /** Each of these instructions of the kernel, left out, is noticed. What its loop gives back is taken again. */
    @ParameterizedTest
    @CsvSource({"128, wgmma.fence, 0, MISSING_FENCE", "128, wgmma.fence, 1, MISSING_FENCE",
        "128, wgmma.wait_group, 0, UNFINISHED_PRODUCT", "128, wgmma.wait_group, 1, UNFINISHED_PRODUCT",
        "128, wgmma.wait_group, 2, UNFINISHED_PRODUCT", "128, mbarrier.arrive.shared, 0, DEADLOCK",
        "128, mbarrier.arrive.shared, 1, DEADLOCK", "256, wgmma.fence, 0, MISSING_FENCE",
        "256, wgmma.fence, 1, MISSING_FENCE", "256, wgmma.wait_group, 0, UNFINISHED_PRODUCT",
        "256, wgmma.wait_group, 1, UNFINISHED_PRODUCT", "256, wgmma.wait_group, 2, UNFINISHED_PRODUCT",
        "256, mbarrier.arrive.shared, 0, DEADLOCK", "256, mbarrier.arrive.shared, 1, DEADLOCK"})
    void whatIsMissingIsNoticed(int channels, String instruction, int number, String fault) {
        assumeFalse(TestDevice.isReal(), "only the emulated device checks");
        String kernel = "attention_%d_sm90_bf16".formatted(channels);
        KernelSource kernels = PlantedFault.without("attention/attention_sm90", kernel, instruction, number);
        device.close();
        try (TestDevice other = TestDevice.sm90(DType.BF16, kernels, 0)) {
            assertThatThrownBy(() -> run(other, channels)).isInstanceOf(DeviceException.class)
                    .hasMessageContaining(fault + " in kernel " + kernel);
        } finally {
            open();
        }
    }
}
