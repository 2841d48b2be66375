package jdiffusion.tensor;

import java.lang.foreign.MemorySegment;

/** How GGUF packs runs of consecutive elements. */
public enum BlockFormat {
    Q8_0(8, 32, 34), Q4_0(2, 32, 18), Q4_1(3, 32, 20), Q5_0(6, 32, 22), Q5_1(7, 32, 24), Q2_K(10, 256, 84),
    Q3_K(11, 256, 110), Q4_K(12, 256, 144), Q5_K(13, 256, 176), Q6_K(14, 256, 210);

    private final int ggmlType;
    private final int blockSize;
    private final int blockBytes;

    BlockFormat(int ggmlType, int blockSize, int blockBytes) {
        this.ggmlType = ggmlType;
        this.blockSize = blockSize;
        this.blockBytes = blockBytes;
    }

    /** Number of the type in a GGUF file. */
    public int ggmlType() {
        return ggmlType;
    }

    /** Elements of a block. */
    public int blockSize() {
        return blockSize;
    }

    /** Bytes of a block. */
    public int blockBytes() {
        return blockBytes;
    }

    /** One block to float32. */
    public void decode(MemorySegment data, long offset, float[] to, int at) {
        throw new UnsupportedOperationException("arrives with the GGUF reader");
    }
}
