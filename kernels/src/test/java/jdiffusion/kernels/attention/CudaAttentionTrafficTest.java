package jdiffusion.kernels.attention;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import jdiffusion.emulator.KernelCounters;
import jdiffusion.kernels.Samples;
import jdiffusion.kernels.cuda.OnDevice;
import jdiffusion.kernels.cuda.TestDevice;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import org.junit.jupiter.api.Test;

/** What attention reads and writes, by the emulator's counters. */
@OnDevice
class CudaAttentionTrafficTest {
    private static final int IMAGE = 4096;
    private static final int TEXT = 333;

    /** One of the 24 heads of the largest picture: all heads do the same. */
    @Test
    void readsKeysAndValuesOncePerBlockOfQueries() {
        check("attention_64_bf16", 128, 64, 1.1, IMAGE, TEXT);
    }

    @Test
    void soDoesTheWideHead() {
        check("attention_wide_bf16", 32, 512, 1.1, 250);
    }

    @Test
    void soDoHeadsOf256() {
        check("attention_256_bf16", 64, 256, 1.1, 500, 264);
    }

    /** A row of 144 bytes is four and a half sectors; where it does not begin with one, it lies in five or six. */
    @Test
    void soDoHeadsOf72() {
        check("attention_72_bf16", 128, 72, 1.25, 1024, 77);
    }

    /** So what attention itself does is the same with norms, however many blocks of queries meet a key. */
    @Test
    void normsEachHeadOnce() {
        assumeThat(TestDevice.isReal()).as("the counters are the emulator's").isFalse();
        int channels = 64;
        int[] tokens = {500, 77};
        try (TestDevice device = TestDevice.profiling()) {
            CudaAttention attention = new CudaAttention(device.cuda());
            Tensor norm = device.put(DType.F32, Samples.normal(1, channels, 0, 1), channels);
            attention.run(AttentionShape.of(1, 1, channels), streams(device, channels, tokens, null), null);
            long bare = device.counters().get("attention_64_bf16").instructions();
            assertThat(device.counters()).doesNotContainKey("rope_runs_bf16");
            attention.run(AttentionShape.of(1, 1, channels), streams(device, channels, tokens, norm), null);
            assertThat(device.counters().get("attention_64_bf16").instructions()).isEqualTo(2 * bare);
            KernelCounters counters = device.counters().get("rope_runs_bf16");
            KernelCounters.Traffic traffic = counters.traffic();
            long heads = 2L * IntStream.of(tokens).sum();
            assertThat(counters.launches()).isEqualTo(1);
            assertThat(traffic.globalBytesWritten).as("written: q and k").isEqualTo(heads * channels * 2);
            assertThat(traffic.globalBytesRead).as("read: q and k, and the weights for each of their rows")
                    .isEqualTo(heads * channels * (2 + 4));
            // A lane takes its 8 weights in two loads, so each sector of weights comes twice; 4 heads of a warp share them.
            long warps = IntStream.of(tokens).mapToLong(n -> 2L * Math.ceilDiv(n, 4)).sum();
            assertThat(traffic.globalSectors)
                    .isEqualTo(traffic.globalIdealSectors + warps * channels * Float.BYTES / 32);
        }
    }

    private static List<AttentionStream> streams(TestDevice device, int channels, int[] tokens, Tensor normOrNull) {
        List<AttentionStream> streams = new ArrayList<>();
        for (int n : tokens) {
            Tensor qkv = device.put(DType.BF16, Samples.normal(n, 3L * n * channels, 0, 1), 1, n, 3 * channels);
            Tensor q = qkv.columns(0, channels);
            streams.add(AttentionStream.of(q, qkv.columns(channels, 2 * channels),
                    qkv.columns(2 * channels, 3 * channels), q).withNorms(normOrNull, normOrNull));
        }
        return streams;
    }

    /**
     * @param tile     queries of a block
     * @param channels of the only head
     * @param sectors  at most, for each ideal one
     * @param tokens   of each stream
     */
    private static void check(String kernel, int tile, int channels, double sectors, int... tokens) {
        assumeThat(TestDevice.isReal()).as("the counters are the emulator's").isFalse();
        try (TestDevice device = TestDevice.profiling()) {
            long blocks = IntStream.of(tokens).mapToLong(n -> Math.ceilDiv(n, tile)).sum();
            long all = IntStream.of(tokens).sum();
            new CudaAttention(device.cuda()).run(AttentionShape.of(1, 1, channels),
                    streams(device, channels, tokens, null), null);

            long row = (long) channels * DType.BF16.bytes();
            KernelCounters counters = device.counters().get(kernel);
            KernelCounters.Traffic traffic = counters.traffic();
            assertThat(counters.blocks()).isEqualTo(blocks);
            assertThat(traffic.globalBytesWritten).as("written: the output").isEqualTo(all * row);
            assertThat(traffic.globalBytesRead).as("read: q once, k and v for each block of queries")
                    .isEqualTo(all * row + blocks * 2 * all * row);
            assertThat((double) traffic.globalSectors).isLessThanOrEqualTo(sectors * traffic.globalIdealSectors);
            assertThat(traffic.sharedConflictCycles).as("cycles lost to bank conflicts").isZero();
        }
    }
}
