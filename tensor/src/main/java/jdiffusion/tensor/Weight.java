package jdiffusion.tensor;

import java.util.List;

/**
 * A matrix of a checkpoint, [rows, cols], read where it lies.
 *
 * <p>A kernel packs panels of it into the layout that its inner loop wants, so a checkpoint is never converted, and
 * every new storage format is a case here and a packing routine in each backend.
 */
public sealed interface Weight {
    int rows();

    int cols();

    /** Elements of a plain type; the tensor has rank 2. */
    record Dense(Tensor tensor) implements Weight {
        public Dense {
            if (tensor.shape().rank() != 2 || !tensor.type().isFloat()) {
                throw new IllegalArgumentException("not a matrix of floats: " + tensor);
            }
        }

        @Override
        public int rows() {
            return tensor.rows();
        }

        @Override
        public int cols() {
            return tensor.cols();
        }
    }

    /** Matrices of equal width one below the other: the q, k and v that a checkpoint stores apart. */
    record Rows(List<Weight> parts) implements Weight {
        public Rows {
            parts = List.copyOf(parts);
            for (Weight part : parts) {
                if (part.cols() != parts.getFirst().cols()) {
                    throw new IllegalArgumentException(
                            "widths differ: " + part.cols() + " and " + parts.getFirst().cols());
                }
            }
        }

        @Override
        public int rows() {
            int rows = 0;
            for (Weight part : parts) {
                rows += part.rows();
            }
            return rows;
        }

        @Override
        public int cols() {
            return parts.getFirst().cols();
        }
    }

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
    record FourBit(int rows, int cols, Tensor codes, Tensor map, int blockSize, Tensor absmax, Nested nested)
            implements Weight {
        /** Codes and values of the map that a block's codes select from. */
        public static final int VALUES = 16;
        public static final int LEAST_BLOCK = 32;
        public static final int LARGEST_BLOCK = 4096;

        public FourBit {
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

    static Weight of(Tensor tensor) {
        return new Dense(tensor);
    }

    static Weight rows(Weight... parts) {
        return new Rows(List.of(parts));
    }
}
