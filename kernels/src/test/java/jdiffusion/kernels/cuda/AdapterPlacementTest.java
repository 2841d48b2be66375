package jdiffusion.kernels.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import jdiffusion.kernels.Closeness;
import jdiffusion.kernels.Samples;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Delta;
import jdiffusion.tensor.Placement;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Adapted matrices on their way to a device. */
class AdapterPlacementTest extends DeviceTest {
    private static final int N = 67;
    private static final int K = 41;

    private static Delta.LowRank pair(long seed, DType type, int rank, float scale) {
        return new Delta.LowRank(Samples.stored(type, Samples.normal(seed, (long) rank * K, 0, 0.3), rank, K),
                Samples.stored(type, Samples.normal(seed + 1, (long) N * rank, 0, 0.3), N, rank), scale);
    }

    private static Weight adapted(DType type, Delta... deltas) {
        return new Weight.Adapted(Weight.of(Samples.stored(type, Samples.normal(9, N * K, 0, 1), N, K)),
                List.of(deltas));
    }

    private static Placement.Size measured(Weight w, boolean streaming) {
        Placement measuring = DevicePlacement.measuring(streaming, DeviceMemory.counting(), DType.BF16);
        place(measuring, w, streaming);
        return measuring.size();
    }

    private static Weight place(Placement placement, Weight w, boolean inBlock) {
        if (inBlock) {
            placement.beginBlock();
        }
        Weight placed = placement.weight(w);
        if (inBlock) {
            placement.endBlock();
        }
        return placed;
    }

    /** To within twice the error of a sum that is rounded once, whatever the pair's own type. */
    @ParameterizedTest
    @EnumSource(names = {"BF16", "F16"})
    void mergedWithMatricesOf16Bits(DType type) {
        for (DType pairs : List.of(DType.BF16, DType.F16, DType.F32)) {
            Weight w = adapted(type, pair(1, pairs, 5, 0.7f), pair(3, pairs, 9, -1));
            float[] sums = read(w);
            double[] exact = new double[sums.length];
            for (int i = 0; i < sums.length; i++) {
                exact[i] = sums[i];
            }
            Closeness.check(type + " and " + pairs, merged(w), exact, Samples.rounded(type, sums));
        }
    }

    /** A matrix of float32 stays one: 16 bits of the adapter are added. */
    @Test
    void mergedWithAMatrixOfFloat32() {
        Weight w = adapted(DType.F32, pair(1, DType.F32, 5, 0.7f));
        float[] sums = read(w);
        float[] got = merged(w);
        for (int i = 0; i < sums.length; i++) {
            assertThat(Math.abs(got[i] - sums[i])).isLessThan(0x1p-15f);
        }
    }

    private static float[] merged(Weight w) {
        Placement.Size size = measured(w, false);
        assertThat(size.resident()).as("as much as without an adapter").isEqualTo(
                Math.ceilDiv(((Weight.Adapted) w).base().byteSize(), 256) * 256);
        try (Placement placement = DevicePlacement.of(size, device.cuda().memory(),
                new CudaTransfers(device.cuda(), false), DType.BF16)) {
            return device.get(((Weight.Dense) placement.weight(w)).tensor());
        }
    }

    /** A block's weights are copied again and again, so nothing is added to them. */
    @Test
    void beside() {
        Weight w = adapted(DType.BF16, pair(1, DType.BF16, 5, 0.7f));
        Placement.Size size = measured(w, true);
        assertThat(size.slots()).as("the matrix and a pair of rank 8").isEqualTo(5632 + 768 + 1280);
        try (Placement placement = DevicePlacement.of(size, device.cuda().memory(),
                new CudaTransfers(device.cuda(), true), DType.BF16)) {
            Weight placed = place(placement, w, true);
            placement.enter(0);
            Weight.Adapted beside = (Weight.Adapted) placed;
            Delta.LowRank pair = (Delta.LowRank) beside.deltas().getFirst();
            assertThat(pair.scale()).isEqualTo(0.7f);
            Tensor down = ((Delta.LowRank) ((Weight.Adapted) w).deltas().getFirst()).down();
            float[] stored = new float[8 * K];
            System.arraycopy(down.toArray(), 0, stored, 0, 5 * K);
            assertThat(device.get(pair.down())).as("filled with zeros").isEqualTo(stored);
            placement.leave(0, Placement.NO_BLOCK);
        }
    }

    private static float[] read(Weight w) {
        float[] values = new float[N * K];
        for (int row = 0; row < N; row++) {
            w.read(row, 0, K, values, row * K);
        }
        return values;
    }
}
