package jdiffusion.server.draw;

import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.PixelSize;
import jdiffusion.model.request.FieldException;
import jdiffusion.model.request.PictureFields;
import jdiffusion.tensor.InputException;

/**
 * The most that a request may ask for.
 *
 * @param pixels of a picture
 * @param images of a request
 * @param body   bytes of a request's body
 */
public record Limits(long pixels, int steps, int images, long body) {
    public static final Limits DEFAULT = new Limits(4L << 20, 200, 16, 64L << 20);
    /** Characters of a prompt. */
    private static final int LONGEST_TEXT = 20_000;

    public Limits {
        if (pixels < 1 || steps < 1 || images < 1 || body < 1) {
            throw new InputException("limits of " + pixels + " pixels, " + steps + " steps, " + images
                    + " pictures and " + body + " bytes; each must be 1 or more");
        }
    }

    void checkText(String field, String text) {
        if (text != null && text.length() > LONGEST_TEXT) {
            throw new FieldException(field, "too_long", "the " + field.replace('_', ' ') + " has " + text.length()
                    + " characters; at most " + LONGEST_TEXT + " are taken");
        }
    }

    private void checkSize(PixelSize size) {
        if ((long) size.width() * size.height() > pixels) {
            throw new FieldException("size", "too_large", "a picture of " + size
                    + " is larger than the " + pixels + " pixels that this server draws at most");
        }
    }

    /** A picture of which only a part is drawn comes out whole. */
    void checkPart(PictureFields asked) {
        if (asked.init != null && Boolean.TRUE.equals(asked.inpaint.onlyMasked)) {
            checkSize(new PixelSize(asked.init.width(), asked.init.height()));
        }
    }

    void check(GenerationRequest request) {
        checkSize(new PixelSize(request.width(), request.height()));
        checkSize(request.finalSize());
        if (request.steps() > steps) {
            throw new FieldException("steps", "too_many", request.steps() + " steps are more than the " + steps
                    + " that this server takes at most");
        }
        if (request.hires() != null && request.hires().steps() > steps) {
            throw new FieldException("steps", "too_many", request.hires().steps() + " steps of the second pass are more"
                    + " than the " + steps + " that this server takes at most");
        }
        if (request.images() > images) {
            throw new FieldException("n", "too_many", request.images() + " pictures are more than the " + images
                    + " that this server draws for one request");
        }
    }
}
