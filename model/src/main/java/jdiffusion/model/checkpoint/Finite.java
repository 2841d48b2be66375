package jdiffusion.model.checkpoint;

import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.Weight;

/**
 * Finds out why a stage gave NaN. Results are small and are always checked; weights are large and are searched only
 * then, so a sound checkpoint costs nothing.
 */
public final class Finite {
    private Finite() {
    }

    /** Returns {@code result} when all is finite; otherwise names the damaged weight, or the stage that overflowed. */
    public static float[] check(String stage, float[] result, TensorSource weights) {
        for (float value : result) {
            if (!Float.isFinite(value)) {
                throw blame(stage, weights);
            }
        }
        return result;
    }

    private static NotFiniteException blame(String stage, TensorSource weights) {
        for (String name : weights.names()) {
            Tensor tensor = weights.find(name);
            Weight matrix = weights.weight(name);
            int rows = tensor != null ? tensor.rows() : matrix != null ? matrix.rows() : 0;
            int cols = tensor != null ? tensor.cols() : matrix != null ? matrix.cols() : 0;
            if (tensor != null && !tensor.type().isFloat()) {
                continue;
            }
            float[] values = new float[cols];
            for (int row = 0; row < rows; row++) {
                for (int col = 0; col < cols && tensor != null; col++) {
                    values[col] = tensor.get(row, col);
                }
                if (tensor == null) {
                    matrix.read(row, 0, cols, values, 0);
                }
                for (int col = 0; col < cols; col++) {
                    if (!Float.isFinite(values[col])) {
                        return new NotFiniteException(weights.origin() + ": the tensor " + name + " holds " + values[col]
                                + " at row " + row + ", column " + col + "; the file is damaged, download it again");
                    }
                }
            }
        }
        return new NotFiniteException("the " + stage + " gave numbers that are not finite though its weights are all"
                + " finite; try --precision f32, a lower guidance scale or more steps");
    }
}
