package jdiffusion.model.tokenizer;

/**
 * A prompt as one text encoder reads it.
 *
 * @param ids     exactly as many ids as were asked for: cut at the end or padded, special tokens included
 * @param used    ids that the whole prompt needs, special tokens included; more than {@code ids.length} when cut
 * @param cut     ids that did not fit, 0 when everything did
 * @param cutText the end of the prompt that was cut, in the tokenizer's normalised spelling; empty when nothing was
 */
public record Tokens(int[] ids, int used, int cut, String cutText) {
}
