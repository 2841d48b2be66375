package jdiffusion.model.text;

/**
 * What the denoiser reads of one prompt.
 *
 * @param context [tokens, width]: CLIP-L and CLIP-G side by side, zeros up to T5's width, then T5's rows below
 * @param tokens  rows of context
 * @param pooled  CLIP-L's pooled output, then CLIP-G's
 */
public record PromptEmbedding(float[] context, int tokens, float[] pooled) {
    /** Of a text that is not known yet, to count memory. */
    public static PromptEmbedding zeros(int tokens, int width, int pooledWidth) {
        return new PromptEmbedding(new float[Math.multiplyExact(tokens, width)], tokens, new float[pooledWidth]);
    }
}
