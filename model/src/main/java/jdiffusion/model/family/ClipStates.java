package jdiffusion.model.family;

import java.util.Arrays;
import java.util.List;
import java.util.Objects;

/**
 * One CLIP encoder's output for all prompts, flattened.
 *
 * @param hidden [prompts, tokens, width] the penultimate hidden state, or one before it
 * @param tokens {@link TextEncoders#CLIP_LENGTH}, or several times as many
 * @param pooled [prompts, pooledWidth]; empty when none was asked for
 * @param before sums of the numbers of each chunk before weights acted on them; empty where none are to be restored
 * @param after  the same afterwards
 */
public record ClipStates(float[] hidden, int tokens, int width, float[] pooled, int pooledWidth, double[] before,
                         double[] after) {
    /**
     * Multiplies so that each chunk has the mean that it had before its weights, as A1111 does.
     *
     * @param together encoders whose outputs stand side by side and have one mean; null for one that is not there
     */
    public static void restoreMeans(ClipStates... together) {
        List<ClipStates> all = Arrays.stream(together).filter(Objects::nonNull).toList();
        int chunks = all.stream().mapToInt(clip -> clip.before.length).min().orElse(0);
        for (int i = 0; i < chunks; i++) {
            int chunk = i;
            double before = all.stream().mapToDouble(clip -> clip.before[chunk]).sum();
            double after = all.stream().mapToDouble(clip -> clip.after[chunk]).sum();
            for (ClipStates clip : all) {
                int size = TextEncoders.CLIP_LENGTH * clip.width;
                for (int k = i * size; k < (i + 1) * size && before != after && after != 0; k++) {
                    clip.hidden[k] = (float) (clip.hidden[k] * (before / after));
                }
            }
        }
    }

    /** One row each of some outputs without weights. */
    static ClipStates rows(List<ClipStates> outputs, int[] rows) {
        ClipStates first = outputs.getFirst();
        float[] hidden = TextEncoders.joined(outputs.stream().map(ClipStates::hidden).toList(),
                outputs.stream().mapToInt(output -> output.tokens * output.width).toArray(), rows);
        float[] pooled = TextEncoders.joined(outputs.stream().map(ClipStates::pooled).toList(),
                outputs.stream().mapToInt(ClipStates::pooledWidth).toArray(), rows);
        return new ClipStates(hidden, first.tokens, first.width, pooled, first.pooledWidth, new double[0],
                new double[0]);
    }

    /** One prompt's part to a column of the context and a place in the pooled embedding. */
    public void copy(int prompt, float[] context, int contextWidth, int column, float[] toPooled, int at) {
        for (int i = 0; i < tokens && (i + 1) * contextWidth <= context.length; i++) {
            System.arraycopy(hidden, (prompt * tokens + i) * width, context, i * contextWidth + column,
                    width);
        }
        System.arraycopy(pooled, prompt * pooledWidth, toPooled, at, pooledWidth);
    }
}
