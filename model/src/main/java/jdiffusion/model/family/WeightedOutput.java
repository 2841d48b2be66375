package jdiffusion.model.family;

import jdiffusion.model.prompt.Chunk;

/** Applies the weights of tokens to what an encoder made of them. */
final class WeightedOutput {
    private WeightedOutput() {
    }

    /**
     * ComfyUI's: away from what the encoder says of an empty prompt, or towards it.
     *
     * @param values [tokens, width] at {@code at}, changed
     * @param empty  where the empty prompt's begin
     */
    static void interpolate(float[] values, int at, int empty, Chunk chunk, int width) {
        for (int i = 0; i < chunk.weights().length; i++) {
            float weight = chunk.weights()[i];
            if (weight == 1) {
                continue;
            }
            for (int k = i * width; k < (i + 1) * width; k++) {
                values[at + k] = (values[at + k] - values[empty + k]) * weight + values[empty + k];
            }
        }
    }

    /** A1111's: multiplied. The mean is restored by {@link ClipStates#restoreMeans}. */
    static void multiply(float[] values, int at, Chunk chunk, int width) {
        for (int i = 0; i < chunk.weights().length; i++) {
            float weight = chunk.weights()[i];
            for (int k = at + i * width; k < at + (i + 1) * width && weight != 1; k++) {
                values[k] *= weight;
            }
        }
    }

    /**
     * A1111's on one chunk by itself: multiplied, and its mean restored.
     *
     * @param rows of the chunk that there are
     */
    static void emphasise(float[] values, int at, int rows, Chunk chunk, int width) {
        double before = sum(values, at, rows * width);
        multiply(values, at, chunk, width);
        double after = sum(values, at, rows * width);
        for (int k = at; k < at + rows * width && before != after && after != 0; k++) {
            values[k] = (float) (values[k] * (before / after));
        }
    }

    /** The sum of a part, in order. */
    static double sum(float[] values, int at, int size) {
        double sum = 0;
        for (int i = at; i < at + size; i++) {
            sum += values[i];
        }
        return sum;
    }
}
