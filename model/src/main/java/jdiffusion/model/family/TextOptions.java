package jdiffusion.model.family;

import jdiffusion.tensor.InputException;

/**
 * What of a request's text only some families read.
 *
 * @param prompt2         the prompt for the second text encoder; null for the same as for the first
 * @param negativePrompt2 the negative prompt for it; null likewise
 * @param clipSkip        layers of CLIP that the prompt leaves out beyond the usual one, as diffusers counts: one less
 *                        than A1111's and stable-diffusion.cpp's
 */
public record TextOptions(String prompt2, String negativePrompt2, int clipSkip) {
    public static final TextOptions DEFAULT = new TextOptions(null, null, 0);

    public TextOptions {
        if (clipSkip < 0) {
            throw new InputException("clip_skip is " + clipSkip + "; use 0 or more layers beyond the usual one");
        }
    }
}
