package jdiffusion.tensor;

import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.function.UnaryOperator;

/**
 * A matrix with every row and every column multiplied by a factor of its own, as DoRA does (Liu et al., "DoRA:
 * Weight-Decomposed Low-Rank Adaptation", 2024): element * rowFactors[row] * colFactors[column] in float32.
 *
 * @param rowFactors F32, [rows], or null for 1
 * @param colFactors F32, [cols], or null for 1
 */
public record Stretched(Weight base, Tensor rowFactors, Tensor colFactors) implements Weight {
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    public Stretched {
        check("row", rowFactors, base.rows());
        check("column", colFactors, base.cols());
    }

    private static void check(String what, Tensor factors, int size) {
        if (factors != null && (factors.type() != DType.F32 || !factors.shape().equals(Shape.of(size)))) {
            throw new IllegalArgumentException(what + " factors " + factors + " are not " + size + " of F32");
        }
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
        return base.byteSize() + (rowFactors == null ? 0 : rowFactors.byteSize())
                + (colFactors == null ? 0 : colFactors.byteSize());
    }

    @Override
    public Weight slice(int from, int to) {
        return new Stretched(base.slice(from, to), rowFactors == null ? null : rowFactors.slice(from, to), colFactors);
    }

    @Override
    public Weight place(UnaryOperator<Tensor> placement) {
        return new Stretched(base.place(placement), rowFactors == null ? null : placement.apply(rowFactors),
                colFactors == null ? null : placement.apply(colFactors));
    }

    @Override
    public void read(int row, int from, int count, float[] to, int at) {
        base.read(row, from, count, to, at);
        stretch(row, from, count, to, at);
    }

    /** Multiplies elements {@code from} to {@code from + count} of a row of the base, which are in {@code to}. */
    public void stretch(int row, int from, int count, float[] to, int at) {
        if (rowFactors != null) {
            float factor = rowFactors.data().get(FLOAT, 4L * row);
            for (int i = at; i < at + count; i++) {
                to[i] *= factor;
            }
        }
        if (colFactors != null) {
            for (int i = 0; i < count; i++) {
                to[at + i] *= colFactors.data().get(FLOAT, 4L * (from + i));
            }
        }
    }
}
