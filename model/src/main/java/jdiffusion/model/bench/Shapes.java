package jdiffusion.model.bench;

import jdiffusion.tensor.InputException;

/**
 * What is measured.
 *
 * @param batch images times guidance branches
 * @param text  tokens of T5
 */
public record Shapes(int width, int height, int batch, int text) {
    /** Pixels of a patch of most denoisers. */
    private static final int PATCH = 16;
    private static final int LARGEST = 2048;
    private static final int MOST = 64;
    private static final int MOST_TOKENS = 512;

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
        if (text < 1 || text > MOST_TOKENS) {
            throw new InputException("the T5 length is " + text + "; use 1 to " + MOST_TOKENS
                    + " tokens (77 and 256 are usual)");
        }
    }

    @Override
    public String toString() {
        return width + "x" + height;
    }
}
