package jdiffusion.tensor;

import java.util.function.UnaryOperator;

/**
 * 4-bit codes with one scale for each block of consecutive elements, as bitsandbytes stores them (Dettmers et al.,
 * "QLoRA", 2023). Blocks run over the flattened matrix, so they span rows where cols is no multiple of their size.
 *
 * <p>Element e is map[code(e)] * scale(e / blockSize) in float32; a product in a narrower type rounds that once, as
 * bitsandbytes does, which dequantises to the type of the layer's input and not to the one that the weight once
 * had. NF4 and FP4 differ in the 16 values of the map alone.
 *
 * @param codes     U8, [ceil(rows * cols / 2)]: two elements a byte, the earlier one in the high half
 * @param map       F32, [16]
 * @param blockSize elements of a block, a power of two from 32 to 4096
 * @param absmax    one for each block: the scales, F32; or U8 codes of them when {@code nested} is there
 * @param nested    how the scales were quantised in turn, or null
 */
public record FourBitWeight(int rows, int cols, Tensor codes, Tensor map, int blockSize, Tensor absmax, Nested nested)
        implements Weight {
    /** Codes and values of the map that a block's codes select from. */
    public static final int VALUES = 16;
    public static final int LEAST_BLOCK = 32;
    public static final int LARGEST_BLOCK = 4096;

    public FourBitWeight {
        if (Integer.bitCount(blockSize) != 1 || blockSize < LEAST_BLOCK || blockSize > LARGEST_BLOCK) {
            throw new IllegalArgumentException("4-bit blocks of " + blockSize + " elements");
        }
        long size = Math.multiplyExact((long) rows, cols);
        long blocks = Math.ceilDiv(size, blockSize);
        check("codes", codes, DType.U8, Math.ceilDiv(size, 2));
        check("map", map, DType.F32, VALUES);
        check("absmax", absmax, nested == null ? DType.F32 : DType.U8, blocks);
        if (nested != null) {
            check("nested absmax", nested.absmax, DType.F32, Math.ceilDiv(blocks, nested.blockSize));
        }
    }

    @Override
    public long byteSize() {
        return codes.byteSize() + map.byteSize() + absmax.byteSize()
                + (nested == null ? 0 : nested.absmax.byteSize() + nested.map.byteSize());
    }

    /**
     * Fails where the rows do not begin with a block, and on a device with a nested one; in host memory the scales
     * are copied then.
     */
    @Override
    public Weight slice(int from, int to) {
        long first = (long) from * cols;
        long size = (long) (to - from) * cols;
        long unit = (long) blockSize * (nested == null ? 1 : nested.blockSize);
        if (first % unit != 0 && first % blockSize == 0 && absmax.data().scope().isAlive()) {
            return withPlainScales(Math.toIntExact(first / blockSize), (int) Math.ceilDiv(size, blockSize))
                    .slice(from, to);
        }
        if (first % unit != 0) {
            throw new InputException("4-bit rows of " + cols + " elements in blocks of " + blockSize
                    + (nested == null ? "" : ", whose scales are quantised in blocks of " + nested.blockSize + ",")
                    + " cannot be cut at row " + from + "; use a model whose projections are stored apart");
        }
        long firstBlock = first / blockSize;
        long blocks = Math.ceilDiv(size, blockSize);
        Nested cut = nested;
        if (nested != null) {
            long firstNested = firstBlock / nested.blockSize;
            cut = new Nested(nested.blockSize, part(nested.absmax, firstNested,
                    Math.ceilDiv(blocks, nested.blockSize)), nested.map, nested.offset);
        }
        return new FourBitWeight(to - from, cols, part(codes, first / 2, Math.ceilDiv(size, 2)), map, blockSize,
                part(absmax, firstBlock, blocks), cut);
    }

    /** The same with the scales of some blocks in float32, and none of the others. */
    private FourBitWeight withPlainScales(int firstBlock, int blocks) {
        float[] scales = new float[absmax.cols()];
        for (int i = firstBlock; i < firstBlock + blocks; i++) {
            scales[i] = scale(i);
        }
        return new FourBitWeight(rows, cols, codes, map, blockSize, Tensor.of(scales, scales.length), null);
    }

    private static Tensor part(Tensor vector, long first, long size) {
        return Tensor.of(vector.data().asSlice(first * vector.type().bytes()), vector.type(),
                Shape.of(Math.toIntExact(size)));
    }

    @Override
    public Weight place(UnaryOperator<Tensor> placement) {
        return new FourBitWeight(rows, cols, placement.apply(codes), placement.apply(map), blockSize,
                placement.apply(absmax), nested == null ? null : new Nested(nested.blockSize,
                placement.apply(nested.absmax), placement.apply(nested.map), nested.offset));
    }

    /** To the bit what bitsandbytes dequantises to in float32. */
    @Override
    public void read(int row, int from, int count, float[] to, int at) {
        for (int i = 0; i < count; i++) {
            long e = (long) row * cols + from + i;
            int two = (int) codes.get(0, Math.toIntExact(e >> 1));
            int code = (e & 1) == 0 ? two >> 4 : two & 0xf;
            to[at + i] = map.get(0, code) * scale(e / blockSize);
        }
    }

    /** What the values of a block are multiplied by. */
    private float scale(long block) {
        int b = Math.toIntExact(block);
        if (nested == null) {
            return absmax.get(0, b);
        }
        float product = nested.map.get(0, (int) absmax.get(0, b)) * nested.absmax.get(0, b / nested.blockSize);
        return product + nested.offset;
    }

    /**
     * Scale b is map[absmax code of b] * absmax[b / blockSize] + offset, in float32, the product rounded first.
     *
     * @param blockSize scales that share one, a power of two
     * @param absmax    F32, one for each nested block
     * @param map       F32, [256]
     */
    public record Nested(int blockSize, Tensor absmax, Tensor map, float offset) {
        public static final int VALUES = 256;

        public Nested {
            if (Integer.bitCount(blockSize) != 1 || blockSize < 1) {
                throw new IllegalArgumentException("nested blocks of " + blockSize);
            }
            check("nested map", map, DType.F32, VALUES);
        }
    }

    private static void check(String part, Tensor tensor, DType type, long size) {
        if (tensor.type() != type || tensor.shape().size() != size || !tensor.isContiguous()) {
            throw new IllegalArgumentException("4-bit " + part + " " + tensor + " is not " + size + " of " + type);
        }
    }
}
