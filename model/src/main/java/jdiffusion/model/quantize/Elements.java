package jdiffusion.model.quantize;

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
        @Override
        public void read(long first, int count, float[] to, int at) {
            int cols = weight.cols();
            for (int done = 0; done < count; ) {
                int row = Math.toIntExact((first + done) / cols);
                int col = (int) ((first + done) % cols);
                int n = Math.min(cols - col, count - done);
                weight.read(row, col, n, to, at + done);
                done += n;
            }
        }
    }
}
