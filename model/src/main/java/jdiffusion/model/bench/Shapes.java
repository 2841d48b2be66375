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
    /** Pixels of a patch of the denoiser. */
    static final int PATCH = 16;
    private static final int LARGEST = 2048;
    private static final int MOST = 64;

    public Shapes {
        for (int side : new int[] {width, height}) {
            if (side < PATCH || side % PATCH != 0 || side > LARGEST) {
                throw new InputException("a size of " + width + "x" + height + " cannot be measured; use multiples of "
                        + PATCH + " up to " + LARGEST);
            }
        }
        if (batch < 1 || batch > MOST) {
            throw new InputException("a batch of " + batch + " cannot be measured; use 1 to " + MOST);
        }
        PromptEncoder.checkT5Length(text);
    }

    /** Tokens of the joint attention: patches of the image, and text. */
    int tokens() {
        return width / PATCH * (height / PATCH) + context();
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
