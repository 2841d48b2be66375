package jdiffusion.tensor;

import java.util.Arrays;

/** The sizes of a tensor's dimensions, outermost first. Immutable; a scalar has none. */
public final class Shape {
    private final int[] dims;
    private final long size;

    private Shape(int[] dims) {
        long product = 1;
        for (int d : dims) {
            if (d < 0) {
                throw new IllegalArgumentException("negative dimension in " + Arrays.toString(dims));
            }
            product = Math.multiplyExact(product, d);
        }
        this.dims = dims;
        this.size = product;
    }

    public static Shape of(int... dims) {
        return new Shape(dims.clone());
    }

    /**
     * Sizes out of a file, which may hold any numbers.
     *
     * @param bytes of an element
     * @throws ArithmeticException when that is more than a {@link Tensor} can have: in one dimension, in rows, or in
     *     bytes
     */
    public static Shape ofStored(long[] dims, int bytes) {
        int[] sizes = new int[dims.length];
        long rows = 1;
        for (int i = 0; i < dims.length; i++) {
            sizes[i] = Math.toIntExact(dims[i]);
            rows = i == dims.length - 1 ? rows : Math.toIntExact(rows * sizes[i]);
        }
        Shape shape = new Shape(sizes);
        Math.multiplyExact(shape.size, bytes);
        return shape;
    }

    /** Number of elements; 1 for a scalar. */
    public long size() {
        return size;
    }

    public int rank() {
        return dims.length;
    }

    /** Size of dimension {@code i}; negative counts from the end, so {@code dim(-1)} is the innermost. */
    public int dim(int i) {
        return dims[i < 0 ? dims.length + i : i];
    }

    /** The innermost size; 1 for a scalar. */
    public int cols() {
        return dims.length == 0 ? 1 : dims[dims.length - 1];
    }

    /** Product of all sizes but the innermost. */
    public int rows() {
        int rows = 1;
        for (int i = 0; i < dims.length - 1; i++) {
            rows = Math.multiplyExact(rows, dims[i]);
        }
        return rows;
    }

    public int[] dims() {
        return dims.clone();
    }

    @Override
    public boolean equals(Object o) {
        return o instanceof Shape s && Arrays.equals(dims, s.dims);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(dims);
    }

    /** As in PyTorch: {@code [2, 77, 64]}. */
    @Override
    public String toString() {
        return Arrays.toString(dims);
    }
}
