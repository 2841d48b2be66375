package jdiffusion.kernels.attention;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.util.ArrayList;
import java.util.List;
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
        check("attention_64_bf16", 128, 64, true, 1.1, IMAGE, TEXT);
    }

    @Test
    void soDoesTheWideHead() {
        check("attention_wide_bf16", 32, 512, false, 1.1, 250);
    }

    @Test
    void soDoHeadsOf256() {
        check("attention_256_bf16", 64, 256, false, 1.1, 500, 264);
    }

    /** A row of 144 bytes is four and a half sectors; where it does not begin with one, it lies in five or six. */
    @Test
    void soDoHeadsOf72() {
        check("attention_72_bf16", 128, 72, false, 1.25, 1024, 77);
    }

    /**
     * @param tile     queries of a block
     * @param channels of the only head
     * @param norms    whether q and k are normed
     * @param sectors  at most, for each ideal one
     * @param tokens   of each stream
     */
    private static void check(String kernel, int tile, int channels, boolean norms, double sectors, int... tokens) {
        assumeThat(TestDevice.isReal()).as("the counters are the emulator's").isFalse();
        try (TestDevice device = TestDevice.profiling()) {
            Tensor norm = norms ? device.put(DType.F32, Samples.normal(1, channels, 0, 1), channels) : null;
            List<AttentionStream> streams = new ArrayList<>();
            long blocks = 0;
            long all = 0;
            for (int n : tokens) {
                Tensor qkv = device.put(DType.BF16, Samples.normal(n, 3L * n * channels, 0, 1), 1, n, 3 * channels);
                Tensor q = qkv.columns(0, channels);
                streams.add(AttentionStream.of(q, qkv.columns(channels, 2 * channels),
                        qkv.columns(2 * channels, 3 * channels), q).withNorms(norm, norm));
                blocks += Math.ceilDiv(n, tile);
                all += n;
            }
            new CudaAttention(device.cuda()).run(AttentionShape.of(1, 1, channels), streams, null);

            long row = (long) channels * DType.BF16.bytes();
            long weights = norms ? (tokens.length + 1L) * channels * Float.BYTES : 0;
            KernelCounters counters = device.counters().get(kernel);
            KernelCounters.Traffic traffic = counters.traffic();
            assertThat(counters.blocks()).isEqualTo(blocks);
            assertThat(traffic.globalBytesWritten).as("written: the output").isEqualTo(all * row);
            assertThat(traffic.globalBytesRead).as("read: q once, k, v and norms for each block of queries")
                    .isEqualTo(all * row + blocks * (2 * all * row + weights));
            assertThat((double) traffic.globalSectors).isLessThanOrEqualTo(sectors * traffic.globalIdealSectors);
            assertThat(traffic.sharedConflictCycles).as("cycles lost to bank conflicts").isZero();
        }
    }
}
