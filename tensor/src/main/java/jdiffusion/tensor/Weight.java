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
public sealed interface Weight permits Weight.Dense, Weight.Scaled, Weight.Blocks, FourBitWeight, Weight.Rows,
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

    static Weight of(Tensor tensor) {
        return new Dense(tensor);
    }

    static Weight rows(Weight... parts) {
        return new Rows(List.of(parts));
    }
}
