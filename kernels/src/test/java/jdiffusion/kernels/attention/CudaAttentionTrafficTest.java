package jdiffusion.kernels.attention;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.util.List;
import java.util.Random;
import jdiffusion.emulator.KernelCounters;
import jdiffusion.kernels.cuda.TestDevice;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import org.junit.jupiter.api.Test;

/** What attention reads and writes, by the emulator's counters. */
class CudaAttentionTrafficTest {
    private static final int IMAGE = 4096;
    private static final int TEXT = 333;
    private static final int CHANNELS = 64;
    /** Queries of a block. */
    private static final int TILE = 128;

    /** One of the 24 heads of the largest picture: all heads do the same. */
    @Test
    void readsKeysAndValuesOncePerBlockOfQueries() {
        assumeThat(TestDevice.isReal()).as("the counters are the emulator's").isFalse();
        try (TestDevice device = TestDevice.profiling()) {
            Tensor norm = device.put(DType.F32, AttentionCase.gaussian(new Random(1), CHANNELS, 1), CHANNELS);
            List<AttentionStream> streams = List.of(stream(device, norm, IMAGE), stream(device, norm, TEXT));
            new CudaAttention(device.cuda()).run(AttentionShape.of(1, 1, CHANNELS), streams, null);

            KernelCounters counters = device.counters().get("attention_64_bf16");
            long blocks = IMAGE / TILE + Math.ceilDiv(TEXT, TILE);
            long tokens = IMAGE + TEXT;
            long row = CHANNELS * DType.BF16.bytes();
            long norms = 3 * CHANNELS * Float.BYTES;
            KernelCounters.Traffic traffic = counters.traffic();
            assertThat(counters.blocks()).isEqualTo(blocks);
            assertThat(traffic.globalBytesWritten).as("written: the output").isEqualTo(tokens * row);
            assertThat(traffic.globalBytesRead).as("read: q once, k and v for each block, three norms")
                    .isEqualTo(tokens * row + blocks * (2 * tokens * row + norms));
            assertThat((double) traffic.globalSectors).isLessThanOrEqualTo(1.1 * traffic.globalIdealSectors);
            assertThat(traffic.sharedConflictCycles).as("cycles lost to bank conflicts").isZero();
        }
    }

    private static AttentionStream stream(TestDevice device, Tensor norm, int tokens) {
        float[] values = AttentionCase.gaussian(new Random(tokens), tokens * 3 * CHANNELS, 1);
        Tensor qkv = device.put(DType.BF16, values, 1, tokens, 3 * CHANNELS);
        Tensor q = qkv.columns(0, CHANNELS);
        return new AttentionStream(q, qkv.columns(CHANNELS, 2 * CHANNELS), qkv.columns(2 * CHANNELS, 3 * CHANNELS),
                norm, norm, q);
    }
}
