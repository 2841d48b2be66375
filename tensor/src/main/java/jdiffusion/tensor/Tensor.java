package jdiffusion.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * A view of numbers in memory that somebody else owns: weights (a mapped file) or a {@link Workspace}.
 *
 * <p>Row-major; the elements of a row (the innermost dimension) lie side by side, and consecutive rows, counted over
 * all outer dimensions, are {@code rowStride} elements apart. So a range of columns is a view too, which is how the
 * q, k and v parts of one fused projection are passed on without a copy.
 *
 * @param data      the first element onward; of a device tensor the address belongs to that device
 * @param type      storage type, little-endian
 * @param shape     sizes, outermost first
 * @param rowStride distance of consecutive rows in elements, at least {@code shape.cols()}
 */
public record Tensor(MemorySegment data, DType type, Shape shape, int rowStride) {
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT =
            ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    public Tensor {
        if (rowStride < shape.cols()) {
            throw new IllegalArgumentException("row stride " + rowStride + " under the row size of " + shape);
        }
        long rows = shape.rows();
        long elements = shape.size() == 0 ? 0 : (rows - 1) * rowStride + shape.cols();
        long bytes = Math.multiplyExact(elements, type.bytes());
        if (data.byteSize() < bytes) {
            throw new IllegalArgumentException("tensor " + type + shape + " needs " + bytes + " bytes, memory has "
                    + data.byteSize());
        }
    }

    /** A contiguous tensor over the start of {@code data}. */
    public static Tensor of(MemorySegment data, DType type, Shape shape) {
        return new Tensor(data, type, shape, shape.cols());
    }

    /** A float32 vector or matrix on the heap, for small inputs and tests. */
    public static Tensor of(float[] values, int... dims) {
        return of(MemorySegment.ofArray(values), DType.F32, Shape.of(dims));
    }

    public int rows() {
        return shape.rows();
    }

    public int cols() {
        return shape.cols();
    }

    public boolean isContiguous() {
        return rowStride == shape.cols() || shape.rows() <= 1;
    }

    /** Bytes of the elements themselves, gaps between rows not counted. */
    public long byteSize() {
        return shape.size() * type.bytes();
    }

    /** Byte offset of the first element of row {@code r}, rows counted over all outer dimensions. */
    public long rowOffset(int r) {
        return (long) r * rowStride * type.bytes();
    }

    /** The same elements under other sizes; only the innermost size must stay when the rows have gaps. */
    public Tensor reshape(int... dims) {
        Shape to = Shape.of(dims);
        if (to.size() != shape.size() || (!isContiguous() && to.cols() != shape.cols())) {
            throw new IllegalArgumentException("cannot view " + this + " as " + to);
        }
        return new Tensor(data, type, to, isContiguous() ? to.cols() : rowStride);
    }

    /** Columns {@code from} (included) to {@code to} (excluded) of every row. */
    public Tensor columns(int from, int to) {
        int[] dims = shape.dims();
        if (dims.length == 0 || from < 0 || to < from || to > cols()) {
            throw new IndexOutOfBoundsException("columns " + from + " to " + to + " of " + shape);
        }
        dims[dims.length - 1] = to - from;
        return view(from, Shape.of(dims), rowStride);
    }

    /** Entries {@code from} (included) to {@code to} (excluded) of the outermost dimension. */
    public Tensor slice(int from, int to) {
        int[] dims = shape.dims();
        if (dims.length == 0 || from < 0 || to < from || to > dims[0]) {
            throw new IndexOutOfBoundsException("entries " + from + " to " + to + " of " + shape);
        }
        long perEntry = dims[0] == 0 ? 0 : dims.length == 1 ? 1 : (long) (rows() / dims[0]) * rowStride;
        dims[0] = to - from;
        Shape cut = Shape.of(dims);
        int stride = dims.length == 1 ? Math.max(1, cut.cols()) : rowStride;
        return view(from * perEntry, cut, stride);
    }

    /** Entry {@code i} of the outermost dimension, that dimension dropped. */
    public Tensor at(int i) {
        Tensor one = slice(i, i + 1);
        int[] dims = one.shape.dims();
        int[] rest = Arrays.copyOfRange(dims, 1, dims.length);
        return new Tensor(one.data, type, Shape.of(rest), rest.length == 0 ? 1 : rowStride);
    }

    /** An empty view stays at the start: past the last row there may be no memory, not even the row's gap. */
    private Tensor view(long firstElement, Shape cut, int stride) {
        long start = cut.size() == 0 ? 0 : firstElement * type.bytes();
        return new Tensor(data.asSlice(start), type, cut, stride);
    }

    /** The element at a row and column, widened; for host memory, where speed does not matter. */
    public float get(int row, int col) {
        long index = (long) row * rowStride + col;
        return switch (type) {
            case F32 -> data.get(FLOAT, index * 4);
            case F64 -> (float) Double.longBitsToDouble(data.get(LONG, index * 8));
            case I64 -> data.get(LONG, index * 8);
            case I32 -> data.get(INT, index * 4);
            default -> FloatFormat.widen(data, type, index);
        };
    }

    /** Elements {@code from} to {@code from + count} of a row, widened; for host memory. */
    public void read(int row, int from, int count, float[] to, int at) {
        long offset = rowOffset(row) + (long) from * type.bytes();
        switch (type) {
            case F32 -> MemorySegment.copy(data, FLOAT, offset, to, at, count);
            case BF16 -> {
                for (int i = 0; i < count; i++) {
                    to[at + i] = FloatFormat.bf16ToFloat(data.get(SHORT, offset + 2L * i));
                }
            }
            case F16 -> {
                for (int i = 0; i < count; i++) {
                    to[at + i] = FloatFormat.f16ToFloat(data.get(SHORT, offset + 2L * i));
                }
            }
            default -> {
                for (int i = 0; i < count; i++) {
                    to[at + i] = get(row, from + i);
                }
            }
        }
    }

    /** Sets a float32 element; for host memory, where speed does not matter. */
    public void set(int row, int col, float value) {
        if (type != DType.F32) {
            throw new IllegalStateException("set on " + this);
        }
        data.set(FLOAT, ((long) row * rowStride + col) * 4, value);
    }

    /** All elements in order as float32, rows with gaps closed up. */
    public float[] toArray() {
        float[] out = new float[Math.toIntExact(shape.size())];
        copyTo(out);
        return out;
    }

    /** Copies all elements in order as float32, rows with gaps closed up, into an array of as many. */
    public void copyTo(float[] out) {
        if (out.length != shape.size()) {
            throw new IllegalArgumentException(this + " into " + out.length + " values");
        }
        int cols = cols();
        int rows = shape.size() == 0 ? 0 : rows();
        for (int r = 0; r < rows; r++) {
            if (type == DType.F32) {
                MemorySegment.copy(data, FLOAT, rowOffset(r), out, r * cols, cols);
            } else {
                for (int c = 0; c < cols; c++) {
                    out[r * cols + c] = get(r, c);
                }
            }
        }
    }

    /** Overwrites all elements of a float32 or bfloat16 tensor in order, rounded to nearest even. */
    public void copyFrom(float[] values) {
        if (type != DType.F32 && type != DType.BF16 || values.length != shape.size()) {
            throw new IllegalArgumentException(values.length + " values into " + this);
        }
        int cols = cols();
        int rows = shape.size() == 0 ? 0 : rows();
        for (int r = 0; r < rows; r++) {
            if (type == DType.F32) {
                MemorySegment.copy(values, r * cols, data, FLOAT, rowOffset(r), cols);
            } else {
                for (int c = 0; c < cols; c++) {
                    data.set(SHORT, rowOffset(r) + 2L * c, FloatFormat.floatToBf16(values[r * cols + c]));
                }
            }
        }
    }

    /** Overwrites all elements of a contiguous {@code I32} tensor in order. */
    public void copyFrom(int[] values) {
        if (type != DType.I32 || values.length != shape.size() || !isContiguous()) {
            throw new IllegalArgumentException(values.length + " values into " + this);
        }
        MemorySegment.copy(values, 0, data, INT, 0, values.length);
    }

    @Override
    public String toString() {
        return type + shape.toString() + (isContiguous() ? "" : " (row stride " + rowStride + ")");
    }
}
