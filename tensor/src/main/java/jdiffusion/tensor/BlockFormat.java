package jdiffusion.tensor;

import java.lang.foreign.MemorySegment;

/**
 * How GGUF stores the elements of a matrix in few bits: a row is cut into blocks, each with its codes and the scales
 * of its own. The layouts and the arithmetic are those of ggml's {@code ggml-common.h} and {@code ggml-quants.c}.
 *
 * <p>Names: the number is the bits of a code. {@code _0} has one scale in a block, {@code _1} a scale and a least
 * value; {@code _K} has 16 or 32 elements to a scale, which is quantised too.
 */
public enum BlockFormat {
    Q8_0(8, 32, 34), Q4_0(2, 32, 18), Q4_1(3, 32, 20), Q5_0(6, 32, 22), Q5_1(7, 32, 24),
    Q2_K(10, 256, 84), Q3_K(11, 256, 110), Q4_K(12, 256, 144), Q5_K(13, 256, 176), Q6_K(14, 256, 210);

    private final int ggmlType;
    private final int blockSize;
    private final int blockBytes;

    BlockFormat(int ggmlType, int blockSize, int blockBytes) {
        this.ggmlType = ggmlType;
        this.blockSize = blockSize;
        this.blockBytes = blockBytes;
    }

    /** The number of this format in a file ({@code enum ggml_type}). */
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

    /** Whether {@link #encode} knows this format. */
    public boolean encodes() {
        return blockSize == SmallBlocks.SIZE;
    }

    /** The format of that number, or null when there is none. */
    public static BlockFormat of(int ggmlType) {
        for (BlockFormat format : values()) {
            if (format.ggmlType == ggmlType) {
                return format;
            }
        }
        return null;
    }

    /**
     * Bytes of a row.
     *
     * @throws IllegalArgumentException when {@code cols} is not a whole number of blocks
     */
    public long rowBytes(int cols) {
        if (cols % blockSize != 0) {
            throw new IllegalArgumentException("a row of " + cols + " is not whole " + this + " blocks of "
                    + blockSize);
        }
        return (long) (cols / blockSize) * blockBytes;
    }

    /**
     * All elements of the block at byte {@code offset} in float32, to the bit those of ggml's
     * {@code dequantize_row_*}; every bit pattern is a block.
     */
    public void decode(MemorySegment data, long offset, float[] to, int at) {
        switch (this) {
            case Q8_0 -> SmallBlocks.decodeQ8(data, offset, to, at);
            case Q4_0 -> SmallBlocks.decodeQ4(data, offset, false, to, at);
            case Q4_1 -> SmallBlocks.decodeQ4(data, offset, true, to, at);
            case Q5_0 -> SmallBlocks.decodeQ5(data, offset, false, to, at);
            case Q5_1 -> SmallBlocks.decodeQ5(data, offset, true, to, at);
            case Q2_K -> SuperBlocks.decodeQ2(data, offset, to, at);
            case Q3_K -> SuperBlocks.decodeQ3(data, offset, to, at);
            case Q4_K -> SuperBlocks.decodeQ4(data, offset, to, at);
            case Q5_K -> SuperBlocks.decodeQ5(data, offset, to, at);
            case Q6_K -> SuperBlocks.decodeQ6(data, offset, to, at);
        }
    }

    /**
     * Writes the block of {@code blockSize} elements from {@code at} on to byte {@code offset}, to the bit that of
     * ggml's {@code quantize_row_*_ref}. The elements are to be finite.
     *
     * @throws UnsupportedOperationException unless {@link #encodes}
     */
    public void encode(float[] from, int at, MemorySegment data, long offset) {
        switch (this) {
            case Q8_0 -> SmallBlocks.encodeQ8(from, at, data, offset);
            case Q4_0 -> SmallBlocks.encodeQ4(from, at, false, data, offset);
            case Q4_1 -> SmallBlocks.encodeQ4(from, at, true, data, offset);
            case Q5_0 -> SmallBlocks.encodeQ5(from, at, false, data, offset);
            case Q5_1 -> SmallBlocks.encodeQ5(from, at, true, data, offset);
            default -> throw new UnsupportedOperationException("nothing here writes " + this);
        }
    }
}
