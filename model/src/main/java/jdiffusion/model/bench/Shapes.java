package jdiffusion.model.bench;

import jdiffusion.model.text.PromptEncoder;
import jdiffusion.tensor.InputException;

/**
 * What is measured.
 *
 * @param batch images times guidance branches
 * @param text  tokens of T5
 */
public record Shapes(int width, int height, int batch, int text) {
    private static final int PATCH = 16;

    public Shapes {
        if (width < PATCH || height < PATCH || width % PATCH != 0 || height % PATCH != 0) {
            throw new InputException("a size of " + width + "x" + height + " cannot be measured; use multiples of "
                    + PATCH);
        }
        if (batch < 1) {
            throw new InputException("a batch of " + batch + " cannot be measured; use 1 or more");
        }
        PromptEncoder.checkT5Length(text);
    }

    /** Tokens of the joint attention: patches of the image, and text. */
    int tokens() {
        return Math.multiplyExact(width / PATCH, height / PATCH) + context();
    }

    /** Tokens of text that the denoiser reads. */
    int context() {
        return PromptEncoder.CLIP_LENGTH + text;
    }

    @Override
    public String toString() {
        return width + "x" + height;
    }
}
