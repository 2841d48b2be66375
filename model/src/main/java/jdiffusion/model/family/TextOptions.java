package jdiffusion.model.family;

import jdiffusion.tensor.InputException;

/**
 * What of a request's text only some families read.
 *
 * @param prompt2         the prompt for the second text encoder; null for the same as for the first
 * @param negativePrompt2 the negative prompt for it; null likewise
 * @param clipSkip        layers of CLIP that the prompt leaves out beyond the usual one, as diffusers counts: one less
 *                        than A1111's and stable-diffusion.cpp's
 * @param cleanCaption    whether families that were trained on cleaned captions clean prompts in the same way
 */
public record TextOptions(String prompt2, String negativePrompt2, int clipSkip, boolean cleanCaption) {
    public static final TextOptions DEFAULT = new TextOptions(null, null, 0);

    /** With prompts cleaned where a family does so. */
    public TextOptions(String prompt2, String negativePrompt2, int clipSkip) {
        this(prompt2, negativePrompt2, clipSkip, true);
    }

    public TextOptions {
        if (clipSkip < 0) {
            throw new InputException("clip_skip is " + clipSkip + "; use 0 or more layers beyond the usual one");
        }
    }

    public TextOptions withCleanCaption(boolean value) {
        return new TextOptions(prompt2, negativePrompt2, clipSkip, value);
    }
}
