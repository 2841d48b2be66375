package jdiffusion.kernels.linear;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;
import jdiffusion.kernels.Samples;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.FourBitWeight;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;

/** A random matrix in 4 bits, and its elements by the plainest of loops. */
record FourBitCase(int rows, int cols, int block, boolean nested) {
    /** Whole blocks in every row, blocks over the ends of rows, rows that begin within a byte, a last block cut. */
    static final FourBitCase[] ALL = {
        new FourBitCase(1, 64, 64, true), new FourBitCase(33, 192, 64, true),
        new FourBitCase(130, 320, 64, false), new FourBitCase(96, 128, 64, true),
        new FourBitCase(64, 96, 64, true), new FourBitCase(70, 33, 64, true),
        new FourBitCase(3, 5, 64, false), new FourBitCase(20, 512, 128, true),
        new FourBitCase(67, 1088, 64, true), new FourBitCase(9, 256, 32, true),
        new FourBitCase(5, 8192, 4096, false),
    };
    private static final int NESTED_BLOCK = 256;

    /** In native memory. */
    FourBitWeight make(long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        long size = (long) rows * cols;
        int blocks = (int) Math.ceilDiv(size, block);
        Tensor codes = bytes(random, (int) Math.ceilDiv(size, 2));
        Tensor map = Samples.stored(DType.F32, Samples.normal(seed + 1, 16, 0, 0.5), 16);
        if (!nested) {
            return new FourBitWeight(rows, cols, codes, map, block,
                    Samples.stored(DType.F32, Samples.normal(seed + 2, blocks, 0.1, 0.03), blocks), null);
        }
        int nestedBlocks = Math.ceilDiv(blocks, NESTED_BLOCK);
        FourBitWeight.Nested scales = new FourBitWeight.Nested(NESTED_BLOCK,
                Samples.stored(DType.F32, Samples.normal(seed + 3, nestedBlocks, 0.05, 0.01), nestedBlocks),
                Samples.stored(DType.F32, Samples.normal(seed + 4, 256, 0, 0.5), 256), 0.12345679f);
        return new FourBitWeight(rows, cols, codes, map, block, bytes(random, blocks), scales);
    }

    private static Tensor bytes(SplittableRandom random, int n) {
        byte[] values = new byte[n];
        random.nextBytes(values);
        MemorySegment memory = Arena.ofAuto().allocate(n, 16);
        memory.copyFrom(MemorySegment.ofArray(values));
        return Tensor.of(memory, DType.U8, Shape.of(n));
    }

    /** All elements, [rows, cols]. */
    static float[] values(FourBitWeight w) {
        float[] values = new float[w.rows() * w.cols()];
        for (int e = 0; e < values.length; e++) {
            int two = w.codes().data().get(ValueLayout.JAVA_BYTE, e / 2) & 0xff;
            values[e] = w.map().get(0, e % 2 == 0 ? two / 16 : two % 16) * scale(w, e / w.blockSize());
        }
        return values;
    }

    private static float scale(FourBitWeight w, int block) {
        if (w.nested() == null) {
            return w.absmax().get(0, block);
        }
        int code = w.absmax().data().get(ValueLayout.JAVA_BYTE, block) & 0xff;
        float product = w.nested().map().get(0, code) * w.nested().absmax().get(0, block / w.nested().blockSize());
        return product + w.nested().offset();
    }

    @Override
    public String toString() {
        return rows + "x" + cols + " in blocks of " + block + (nested ? ", nested" : "");
    }
}
