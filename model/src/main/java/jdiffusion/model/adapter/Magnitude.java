package jdiffusion.model.adapter;

import jdiffusion.tensor.InputException;

/**
 * The lengths that DoRA gives the rows or the columns of a matrix (Liu et al., "DoRA: Weight-Decomposed Low-Rank
 * Adaptation", 2024): W' = m (W + D) / ||W + D||.
 *
 * @param what    the file and its tensor, for messages
 * @param ofRows  whether each row has a length, an output of the layer; else each input has one
 * @param lengths [rows], or [inputs]
 * @param each    columns of an input: 1 of a linear layer, the kernel's elements of a convolution
 */
record Magnitude(String what, boolean ofRows, float[] lengths, int each) {
    /**
     * Length / norm for rows {@code from} to {@code to} of the module, or for all columns.
     *
     * @param squares sums of the squares of the elements of these rows, or of each column
     */
    float[] factors(double[] squares, int from) {
        float[] factors = new float[squares.length];
        for (int i = 0; i < factors.length; i++) {
            double square = squares[i];
            if (!ofRows) {
                square = 0;
                for (int k = 0; k < each; k++) {
                    square += squares[i / each * each + k];
                }
            }
            double length = lengths[ofRows ? from + i : i / each];
            // What has no length has no direction, and stays zero.
            factors[i] = square == 0 ? 0 : (float) (length / Math.sqrt(square));
            if (!Float.isFinite(factors[i])) {
                throw new InputException(what + " gives " + (ofRows ? "row " + (from + i) : "input " + i / each)
                        + " the length " + length + ", but its norm in the model is " + Math.sqrt(square)
                        + "; the file or the model is damaged");
            }
        }
        return factors;
    }
}
