package jdiffusion.tensor;

import java.util.function.UnaryOperator;

/** What an adapter adds to a matrix, [rows, cols]. */
public sealed interface Delta {
    int rows();

    int cols();

    long byteSize();

    /** Rows {@code from} (included) to {@code to} (excluded). */
    Delta slice(int from, int to);

    Delta place(UnaryOperator<Tensor> placement);

    /** Adds elements {@code from} to {@code from + count} of a row; for host memory, where speed does not matter. */
    void add(int row, int from, int count, float[] to, int at);

    /**
     * scale * up * down (Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021).
     *
     * @param down [rank, cols]
     * @param up   [rows, rank]
     */
    record LowRank(Tensor down, Tensor up, float scale) implements Delta {
        public LowRank {
            if (down.shape().rank() != 2 || up.shape().rank() != 2 || up.cols() != down.rows()
                    || !down.type().isFloat() || !up.type().isFloat()) {
                throw new IllegalArgumentException("not a low-rank pair: down " + down + ", up " + up);
            }
        }

        @Override
        public int rows() {
            return up.rows();
        }

        @Override
        public int cols() {
            return down.cols();
        }

        @Override
        public long byteSize() {
            return down.byteSize() + up.byteSize();
        }

        @Override
        public Delta slice(int from, int to) {
            return new LowRank(down, up.slice(from, to), scale);
        }

        @Override
        public Delta place(UnaryOperator<Tensor> placement) {
            return new LowRank(placement.apply(down), placement.apply(up), scale);
        }

        @Override
        public void add(int row, int from, int count, float[] to, int at) {
            for (int r = 0; r < down.rows(); r++) {
                float factor = scale * up.get(row, r);
                for (int i = 0; i < count; i++) {
                    to[at + i] += factor * down.get(r, from + i);
                }
            }
        }
    }
}
