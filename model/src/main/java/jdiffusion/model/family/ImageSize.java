package jdiffusion.model.family;

import jdiffusion.tensor.InputException;

/**
 * Which sizes a model can draw: whole patches, within its table of positions.
 *
 * @param multiple pixels of a patch
 * @param largest  side in pixels
 */
public record ImageSize(int multiple, int largest) {
    /** Fails with the sizes that would work. */
    public void check(int width, int height) {
        check("width", width);
        check("height", height);
    }

    private void check(String side, int pixels) {
        if (pixels > largest) {
            throw new InputException("a " + side + " of " + pixels + " is beyond this model's table of positions; at"
                    + " most " + largest + " works, in multiples of " + multiple);
        }
        if (pixels < multiple || pixels % multiple != 0) {
            int below = pixels / multiple * multiple;
            throw new InputException("a " + side + " of " + pixels + " is not a multiple of " + multiple + "; "
                    + (pixels < multiple ? multiple + " is the smallest that works"
                    : below + multiple > largest ? below + " would work"
                    : below + " or " + (below + multiple) + " would work"));
        }
    }
}
