package jdiffusion.model.flux;

import java.util.List;

/**
 * The rotations of positions (Su et al., "RoFormer", 2021) over three axes: of each head's channels, some pairs turn
 * with a token's index, some with its row and some with its column. Text is at index, row and column 0, which turns
 * nothing; the image is at index 0.
 */
final class Rope {
    private static final double THETA = 10_000;

    private Rope() {
    }

    /**
     * For each pair of a head's channels its cosine and its sine, [text + rows * columns, headDim]; angles are taken
     * in float64.
     *
     * @param axes channels of a head for index, row and column
     * @param text tokens of text, which come first
     */
    static float[] table(List<Integer> axes, int text, int rows, int columns) {
        int head = axes.stream().mapToInt(Integer::intValue).sum();
        float[] table = new float[Math.multiplyExact(text + rows * columns, head)];
        for (int token = 0; token < text + rows * columns; token++) {
            int cell = token - text;
            int[] position = token < text ? new int[3] : new int[] {0, cell / columns, cell % columns};
            int at = token * head;
            for (int axis = 0; axis < position.length; axis++) {
                int channels = axes.get(axis);
                for (int c = 0; c < channels; c += 2) {
                    double angle = position[axis] / Math.pow(THETA, (double) c / channels);
                    table[at++] = (float) Math.cos(angle);
                    table[at++] = (float) Math.sin(angle);
                }
            }
        }
        return table;
    }
}
