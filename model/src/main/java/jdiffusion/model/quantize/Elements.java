package jdiffusion.model.quantize;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdiffusion.tensor.FloatFormat;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;

/**
 * The numbers of a tensor in float32, wherever they come from: what is quantised or changes its type. Safe to use by
 * several threads at once.
 */
public interface Elements {
    /** Of the whole tensor; the innermost dimension is the columns. */
    Shape shape();

    /** Elements {@code first} to {@code first + count}, counted over the flattened tensor. */
    void read(long first, int count, float[] to, int at);

    static Elements of(Tensor tensor) {
        int cols = Math.max(1, tensor.cols());
        Tensor matrix = tensor.reshape(Math.toIntExact(tensor.shape().size() / cols), cols);
        return new OfWeight(tensor.shape(), Weight.of(matrix));
    }

    static Elements of(Weight weight) {
        return new OfWeight(Shape.of(weight.rows(), weight.cols()), weight);
    }

    /** A matrix of a checkpoint. */
    record OfWeight(Shape shape, Weight weight) implements Elements {
        private static final ValueLayout.OfShort SHORT =
                ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
        private static final ValueLayout.OfFloat FLOAT =
                ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

        @Override
        public void read(long first, int count, float[] to, int at) {
            int cols = weight.cols();
            for (int done = 0; done < count; ) {
                int row = Math.toIntExact((first + done) / cols);
                int col = (int) ((first + done) % cols);
                int n = Math.min(cols - col, count - done);
                read(weight, row, col, n, to, at + done);
                done += n;
            }
        }

        private static void read(Weight weight, int row, int col, int n, float[] to, int at) {
            switch (weight) {
                case Weight.Dense dense -> read(dense.tensor(), row, col, n, to, at);
                case Weight.Scaled scaled -> {
                    read(scaled.tensor(), row, col, n, to, at);
                    for (int i = 0; i < n; i++) {
                        to[at + i] *= scaled.scale();
                    }
                }
                default -> weight.read(row, col, n, to, at);
            }
        }

        private static void read(Tensor tensor, int row, int col, int n, float[] to, int at) {
            MemorySegment data = tensor.data();
            long offset = tensor.rowOffset(row) + (long) col * tensor.type().bytes();
            switch (tensor.type()) {
                case F32 -> MemorySegment.copy(data, FLOAT, offset, to, at, n);
                case BF16 -> {
                    for (int i = 0; i < n; i++) {
                        to[at + i] = FloatFormat.bf16ToFloat(data.get(SHORT, offset + 2L * i));
                    }
                }
                case F16 -> {
                    for (int i = 0; i < n; i++) {
                        to[at + i] = FloatFormat.f16ToFloat(data.get(SHORT, offset + 2L * i));
                    }
                }
                default -> {
                    for (int i = 0; i < n; i++) {
                        to[at + i] = tensor.get(row, col + i);
                    }
                }
            }
        }
    }
}
