package jdiffusion.model.text;

/**
 * What the denoiser reads of one prompt.
 *
 * @param context [tokens, width]: CLIP-L and CLIP-G side by side, zeros up to T5's width, then T5's rows below
 * @param tokens  rows of context
 * @param pooled  CLIP-L's pooled output, then CLIP-G's
 */
public record PromptEmbedding(float[] context, int tokens, float[] pooled) {
}
