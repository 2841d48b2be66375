package jdiffusion.tensor;

import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * A matrix of a checkpoint, [rows, cols], read where it lies.
 *
 * <p>A kernel packs panels of it into the layout that its inner loop wants, so a checkpoint is never converted, and
 * every new storage format is a case here and a packing routine in each backend.
 */
public sealed interface Weight permits Weight.Dense, Weight.Scaled, Weight.Blocks, Weight.FourBit, Weight.Rows,
        Weight.Adapted, Stretched {
    int rows();

    int cols();

    /** Bytes of all that is stored. */
    long byteSize();

    /** Whether its elements are stored as float8, with a scale or without. */
    default boolean isFloat8() {
        return switch (this) {
            case Dense(Tensor tensor) -> tensor.type().isFloat8();
            case Scaled scaled -> scaled.tensor().type().isFloat8();
            default -> false;
        };
    }

    /** Rows {@code from} (included) to {@code to} (excluded), a view. */
    Weight slice(int from, int to);

    /** The same matrix with each of its tensors brought elsewhere. */
    Weight place(UnaryOperator<Tensor> placement);

    /**
     * Elements {@code from} to {@code from + count} of a row in float32; for host memory, where speed does not
     * matter. What kernels make of a matrix is checked against this.
     */
    void read(int row, int from, int count, float[] to, int at);

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

        @Override
        public long byteSize() {
            return tensor.byteSize();
        }

        @Override
        public Weight slice(int from, int to) {
            return new Dense(tensor.slice(from, to));
        }

        @Override
        public Weight place(UnaryOperator<Tensor> placement) {
            return new Dense(placement.apply(tensor));
        }

        @Override
        public void read(int row, int from, int count, float[] to, int at) {
            tensor.read(row, from, count, to, at);
        }
    }

    /**
     * Elements of a narrow type that share one factor, as ComfyUI's scaled fp8 has them: element * scale in float32.
     *
     * @param tensor [rows, cols]
     */
    record Scaled(Tensor tensor, float scale) implements Weight {
        public Scaled {
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

        @Override
        public long byteSize() {
            return tensor.byteSize();
        }

        @Override
        public Weight slice(int from, int to) {
            return new Scaled(tensor.slice(from, to), scale);
        }

        @Override
        public Weight place(UnaryOperator<Tensor> placement) {
            return new Scaled(placement.apply(tensor), scale);
        }

        @Override
        public void read(int row, int from, int count, float[] to, int at) {
            tensor.read(row, from, count, to, at);
            for (int i = at; i < at + count; i++) {
                to[i] *= scale;
            }
        }
    }

    /**
     * Blocks of a row's consecutive elements, each with scales of its own, as GGUF stores them.
     *
     * @param bytes U8, [rows, bytes of a row]
     */
    record Blocks(int cols, BlockFormat format, Tensor bytes) implements Weight {
        public Blocks {
            if (bytes.type() != DType.U8 || bytes.shape().rank() != 2 || !bytes.isContiguous()
                    || cols % format.blockSize() != 0
                    || bytes.cols() != cols / format.blockSize() * format.blockBytes()) {
                throw new IllegalArgumentException(bytes + " are not rows of " + cols + " elements in " + format);
            }
        }

        @Override
        public int rows() {
            return bytes.rows();
        }

        @Override
        public long byteSize() {
            return bytes.byteSize();
        }

        @Override
        public Weight slice(int from, int to) {
            return new Blocks(cols, format, bytes.slice(from, to));
        }

        @Override
        public Weight place(UnaryOperator<Tensor> placement) {
            return new Blocks(cols, format, placement.apply(bytes));
        }

        @Override
        public void read(int row, int from, int count, float[] to, int at) {
            int size = format.blockSize();
            float[] block = new float[size];
            for (int done = 0; done < count; ) {
                int b = (from + done) / size;
                int first = (from + done) % size;
                int n = Math.min(size - first, count - done);
                format.decode(bytes.data(), bytes.rowOffset(row) + (long) b * format.blockBytes(), block, 0);
                System.arraycopy(block, first, to, at + done, n);
                done += n;
            }
        }
    }

    /** A matrix with what adapters add to it, as LoRA does. */
    record Adapted(Weight base, List<Delta> deltas) implements Weight {
        public Adapted {
            deltas = List.copyOf(deltas);
        }

        @Override
        public int rows() {
            return base.rows();
        }

        @Override
        public int cols() {
            return base.cols();
        }

        @Override
        public long byteSize() {
            return base.byteSize() + deltas.stream().mapToLong(Delta::byteSize).sum();
        }

        @Override
        public Weight slice(int from, int to) {
            return new Adapted(base.slice(from, to), deltas.stream().map(d -> d.slice(from, to)).toList());
        }

        @Override
        public Weight place(UnaryOperator<Tensor> placement) {
            return new Adapted(base.place(placement), deltas.stream().map(d -> d.place(placement)).toList());
        }

        @Override
        public void read(int row, int from, int count, float[] to, int at) {
            base.read(row, from, count, to, at);
            deltas.forEach(delta -> delta.add(row, from, count, to, at));
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

        @Override
        public long byteSize() {
            return parts.stream().mapToLong(Weight::byteSize).sum();
        }

        @Override
        public Weight slice(int from, int to) {
            List<Weight> cut = new ArrayList<>();
            int first = 0;
            for (Weight part : parts) {
                int start = Math.max(from - first, 0);
                int end = Math.min(to - first, part.rows());
                if (start < end) {
                    cut.add(part.slice(start, end));
                }
                first += part.rows();
            }
            return cut.size() == 1 ? cut.getFirst() : new Rows(cut);
        }

        @Override
        public Weight place(UnaryOperator<Tensor> placement) {
            return new Rows(parts.stream().map(part -> part.place(placement)).toList());
        }

        @Override
        public void read(int row, int from, int count, float[] to, int at) {
            int first = 0;
            for (Weight part : parts) {
                if (row < first + part.rows()) {
                    part.read(row - first, from, count, to, at);
                    return;
                }
                first += part.rows();
            }
            throw new IndexOutOfBoundsException("row " + row + " of " + first);
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
            return new FourBit(to - from, cols, part(codes, first / 2, Math.ceilDiv(size, 2)), map, blockSize,
                    part(absmax, firstBlock, blocks), cut);
        }

        /** The same with the scales of some blocks in float32, and none of the others. */
        private FourBit withPlainScales(int firstBlock, int blocks) {
            float[] scales = new float[absmax.cols()];
            for (int i = firstBlock; i < firstBlock + blocks; i++) {
                scales[i] = scale(i);
            }
            return new FourBit(rows, cols, codes, map, blockSize, Tensor.of(scales, scales.length), null);
        }

        private static Tensor part(Tensor vector, long first, long size) {
            return Tensor.of(vector.data().asSlice(first * vector.type().bytes()), vector.type(),
                    Shape.of(Math.toIntExact(size)));
        }

        @Override
        public Weight place(UnaryOperator<Tensor> placement) {
            return new FourBit(rows, cols, placement.apply(codes), placement.apply(map), blockSize,
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

    static Weight of(Tensor tensor) {
        return new Dense(tensor);
    }

    static Weight rows(Weight... parts) {
        return new Rows(List.of(parts));
    }
}
