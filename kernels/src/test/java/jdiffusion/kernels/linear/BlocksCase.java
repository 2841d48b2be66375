package jdiffusion.kernels.linear;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;
import jdiffusion.tensor.BlockFormat;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.FloatFormat;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;

/** A random matrix in blocks. */
record BlocksCase(BlockFormat format, int rows, int cols) {
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;

    /** All bits random but the float16 factors, in native memory. */
    Weight.Blocks make(long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        int rowBytes = Math.toIntExact(format.rowBytes(cols));
        byte[] bytes = new byte[rows * rowBytes];
        random.nextBytes(bytes);
        MemorySegment memory = Arena.ofAuto().allocate(bytes.length, 8);
        memory.copyFrom(MemorySegment.ofArray(bytes));
        for (int block = 0; block < bytes.length; block += format.blockBytes()) {
            for (int at : factors()) {
                float factor = (float) random.nextDouble(-0.01, 0.01);
                memory.set(SHORT, block + at, FloatFormat.floatToF16(factor));
            }
        }
        return new Weight.Blocks(cols, format, Tensor.of(memory, DType.U8, Shape.of(rows, rowBytes)));
    }

    /** Where they lie in a block. */
    private int[] factors() {
        return switch (format) {
            case Q8_0, Q4_0, Q5_0 -> new int[] {0};
            case Q4_1, Q5_1, Q4_K, Q5_K -> new int[] {0, 2};
            case Q2_K -> new int[] {80, 82};
            case Q3_K -> new int[] {108};
            case Q6_K -> new int[] {208};
        };
    }
}
