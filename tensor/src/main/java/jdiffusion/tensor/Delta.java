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

    /** The same with each element multiplied. */
    Delta times(float factor);

    /**
     * The same with every row and every column multiplied by a factor of its own.
     *
     * @param rowFactors [rows], or null for 1
     * @param colFactors [cols], or null for 1
     */
    Delta stretch(float[] rowFactors, float[] colFactors);

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
        public Delta times(float factor) {
            return new LowRank(down, up, scale * factor);
        }

        @Override
        public Delta stretch(float[] rowFactors, float[] colFactors) {
            Tensor stretchedUp = up;
            if (rowFactors != null) {
                float[] values = up.toArray();
                for (int i = 0; i < values.length; i++) {
                    values[i] *= rowFactors[i / up.cols()];
                }
                stretchedUp = Tensor.of(values, up.rows(), up.cols());
            }
            Tensor stretchedDown = down;
            if (colFactors != null) {
                float[] values = down.toArray();
                for (int i = 0; i < values.length; i++) {
                    values[i] *= colFactors[i % down.cols()];
                }
                stretchedDown = Tensor.of(values, down.rows(), down.cols());
            }
            return new LowRank(stretchedDown, stretchedUp, scale);
        }

        @Override
        public void add(int row, int from, int count, float[] to, int at) {
            float[] part = new float[count];
            for (int r = 0; r < down.rows(); r++) {
                float factor = scale * up.get(row, r);
                down.read(r, from, count, part, 0);
                for (int i = 0; i < count; i++) {
                    to[at + i] += factor * part[i];
                }
            }
        }
    }

    /**
     * scale * (w1 kron w2), of which rows {@code first} to {@code first + rows}: LyCORIS' LoKr (Yeh et al., "Navigating
     * Text-To-Image Customization", 2023). w2 is left * right, or right alone.
     *
     * @param w1         [a, b]
     * @param left       [c, rank], or null
     * @param right      [rank, d], or without left [c, d]; a * c are all rows and b * d the columns
     * @param rowFactors F32, [rows], what each row is multiplied by in the end; null for 1
     * @param colFactors F32, [b * d], the same of each column
     */
    record Kronecker(Tensor w1, Tensor left, Tensor right, float scale, int first, int rows, Tensor rowFactors,
                     Tensor colFactors) implements Delta {
        public Kronecker {
            if (w1.shape().rank() != 2 || right.shape().rank() != 2 || !w1.type().isFloat() || !right.type().isFloat()
                    || left != null && (left.shape().rank() != 2 || left.cols() != right.rows()
                    || !left.type().isFloat())) {
                throw new IllegalArgumentException("not a Kronecker product: w1 " + w1 + ", left " + left + ", right "
                        + right);
            }
            long all = (long) w1.rows() * height(left, right);
            if (first < 0 || rows < 0 || first + (long) rows > all) {
                throw new IndexOutOfBoundsException("rows " + first + " to " + (first + (long) rows) + " of " + all);
            }
        }

        /** The whole product. */
        public static Kronecker of(Tensor w1, Tensor left, Tensor right, float scale) {
            return new Kronecker(w1, left, right, scale, 0, Math.multiplyExact(w1.rows(), height(left, right)), null,
                    null);
        }

        private static int height(Tensor left, Tensor right) {
            return (left == null ? right : left).rows();
        }

        @Override
        public int cols() {
            return Math.multiplyExact(w1.cols(), right.cols());
        }

        @Override
        public long byteSize() {
            return w1.byteSize() + (left == null ? 0 : left.byteSize()) + right.byteSize()
                    + (rowFactors == null ? 0 : rowFactors.byteSize())
                    + (colFactors == null ? 0 : colFactors.byteSize());
        }

        @Override
        public Delta slice(int from, int to) {
            if (from < 0 || to < from || to > rows) {
                throw new IndexOutOfBoundsException("rows " + from + " to " + to + " of " + rows);
            }
            return new Kronecker(w1, left, right, scale, first + from, to - from,
                    rowFactors == null ? null : rowFactors.slice(from, to), colFactors);
        }

        @Override
        public Delta place(UnaryOperator<Tensor> placement) {
            return new Kronecker(placement.apply(w1), left == null ? null : placement.apply(left),
                    placement.apply(right), scale, first, rows,
                    rowFactors == null ? null : placement.apply(rowFactors),
                    colFactors == null ? null : placement.apply(colFactors));
        }

        @Override
        public Delta times(float factor) {
            return new Kronecker(w1, left, right, scale * factor, first, rows, rowFactors, colFactors);
        }

        @Override
        public Delta stretch(float[] byRow, float[] byCol) {
            return new Kronecker(w1, left, right, scale, first, rows, times(rowFactors, byRow),
                    times(colFactors, byCol));
        }

        private static Tensor times(Tensor factors, float[] more) {
            if (more == null) {
                return factors;
            }
            float[] values = more.clone();
            for (int i = 0; i < values.length && factors != null; i++) {
                values[i] *= factors.get(0, i);
            }
            return Tensor.of(values, values.length);
        }

        /** What an element is multiplied by in the end. */
        public float factor(int row, int col) {
            return (rowFactors == null ? 1 : rowFactors.get(0, row)) * (colFactors == null ? 1 : colFactors.get(0, col));
        }

        @Override
        public void add(int row, int from, int count, float[] to, int at) {
            int height = height(left, right);
            int block = (first + row) / height;
            int width = right.cols();
            float[] inner = innerRow((first + row) % height);
            for (int i = 0; i < count; i++) {
                int col = from + i;
                to[at + i] += scale * w1.get(block, col / width) * inner[col % width] * factor(row, col);
            }
        }

        /** A row of w2. */
        private float[] innerRow(int row) {
            float[] sum = new float[right.cols()];
            for (int r = 0; r < (left == null ? 1 : right.rows()); r++) {
                float factor = left == null ? 1 : left.get(row, r);
                for (int i = 0; i < sum.length; i++) {
                    sum[i] += factor * right.get(left == null ? row : r, i);
                }
            }
            return sum;
        }
    }
}
