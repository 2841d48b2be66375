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

    static Weight of(Tensor tensor) {
        return new Dense(tensor);
    }

    static Weight rows(Weight... parts) {
        return new Rows(List.of(parts));
    }
}
