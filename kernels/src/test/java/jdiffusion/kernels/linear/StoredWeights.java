package jdiffusion.kernels.linear;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import jdiffusion.kernels.Samples;
import jdiffusion.tensor.BlockFormat;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Delta;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;

/** Random matrices in all the ways in which one can be stored, in native memory. */
final class StoredWeights {
    private StoredWeights() {
    }

    /** Any codes and integer scales; the float16 of each block are small. */
    static Weight.Blocks blocks(BlockFormat format, long seed, int rows, int cols) {
        SplittableRandom random = new SplittableRandom(seed);
        byte[] bytes = new byte[Math.toIntExact(rows * format.rowBytes(cols))];
        random.nextBytes(bytes);
        MemorySegment memory = Arena.ofAuto().allocate(bytes.length, 16);
        memory.copyFrom(MemorySegment.ofArray(bytes));
        int[] halves = switch (format) {
            case Q8_0, Q4_0, Q5_0 -> new int[] {0};
            case Q4_1, Q5_1, Q4_K, Q5_K -> new int[] {0, 2};
            case Q2_K -> new int[] {80, 82};
            case Q3_K -> new int[] {108};
            case Q6_K -> new int[] {208};
        };
        for (long block = 0; block < bytes.length; block += format.blockBytes()) {
            for (int half : halves) {
                memory.set(ValueLayout.JAVA_SHORT_UNALIGNED, block + half,
                        Float.floatToFloat16((float) (random.nextGaussian() * 0.01)));
            }
        }
        return new Weight.Blocks(cols, format,
                Tensor.of(memory, DType.U8, Shape.of(rows, (int) format.rowBytes(cols))));
    }

    static Weight.Scaled scaled(DType type, long seed, int rows, int cols) {
        return new Weight.Scaled(dense(type, seed, rows, cols), 0.12345679f);
    }

    /** Columns of a wider tensor. */
    static Tensor dense(DType type, long seed, int rows, int cols) {
        return Samples.view(type, 3, Samples.normal(seed, (long) rows * cols, 0, 0.5), rows, cols);
    }

    /** With a low-rank delta for each rank. */
    static Weight.Adapted adapted(Weight base, long seed, int... ranks) {
        List<Delta> deltas = new ArrayList<>();
        for (int rank : ranks) {
            deltas.add(new Delta.LowRank(dense(DType.BF16, seed + rank, rank, base.cols()),
                    dense(DType.F16, seed - rank, base.rows(), rank), 0.7f / rank));
        }
        return new Weight.Adapted(base, deltas);
    }

    /** All elements, [rows, cols], one at a time. */
    static float[] values(Weight w) {
        float[] values = new float[w.rows() * w.cols()];
        for (int r = 0; r < w.rows(); r++) {
            w.read(r, 0, w.cols(), values, r * w.cols());
        }
        return values;
    }
}
