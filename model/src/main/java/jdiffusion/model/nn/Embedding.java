package jdiffusion.model.nn;

import jdiffusion.kernels.Backend;
import jdiffusion.kernels.counting.CountingBackend;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;
import jdiffusion.tensor.Weights;

/**
 * A table of vectors, one for each token or position. Only the rows that are needed are brought to the device: the
 * table of T5-XXL is 250 MiB, that of SD3.5 Medium's positions 430.
 *
 * @param table [vocabulary, width]
 */
public record Embedding(Weight table) {
    private static final float[][] NONE = {};

    public static Embedding load(Weights weights, int vocabulary, int width) {
        return new Embedding(weights.table("weight", vocabulary, width));
    }

    /**
     * @param ids below the vocabulary's size
     * @param out [ids, width], written
     */
    public void apply(Backend backend, int[] ids, Tensor out) {
        apply(backend, ids, NONE, out);
    }

    /**
     * @param ids  below the vocabulary's size; -1 for the first of {@code more}, -2 for the second, and so on
     * @param more rows that the table does not have, each as wide as the table
     */
    public void apply(Backend backend, int[] ids, float[][] more, Tensor out) {
        int width = table.cols();
        float[] rows = new float[ids.length * width];
        for (int i = 0; i < ids.length && !(backend instanceof CountingBackend); i++) {
            if (ids[i] < 0) {
                System.arraycopy(more[-1 - ids[i]], 0, rows, i * width, width);
            } else {
                table.read(ids[i], 0, width, rows, i * width);
            }
        }
        backend.upload(rows, out);
    }
}
