package jdiffusion.model.family;

import jdiffusion.tensor.InputException;

/**
 * Which sizes a model can draw: whole patches, within its table of positions.
 *
 * @param multiple pixels of a patch
 * @param largest  side in pixels
 * @param rounds   whether other sides are rounded down to a multiple before anything else
 */
public record ImageSize(int multiple, int largest, boolean rounds) {
    /** One that refuses other sides. */
    public ImageSize(int multiple, int largest) {
        this(multiple, largest, false);
    }

    /** The side that is drawn where this one is asked for. */
    public int rounded(int pixels) {
        return rounds && pixels > multiple ? pixels / multiple * multiple : pixels;
    }

    /** The request for what is drawn, in both passes where there are two. */
    public GenerationRequest rounded(GenerationRequest request) {
        Hires hires = request.hires();
        return request.toBuilder().size(rounded(request.width()), rounded(request.height()))
                .hires(hires == null ? null : hires.rounded(this)).build();
    }

    /** What to tell where a size is rounded; null where it is not. */
    public String note(int width, int height) {
        return rounded(width) == width && rounded(height) == height ? null : width + "x" + height
                + " is not in multiples of " + multiple + "; drawing " + rounded(width) + "x" + rounded(height);
    }

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
