package jdiffusion.model.image;

/**
 * A part of a picture that is drawn at a size of its own.
 *
 * @param box    the part
 * @param inner  where it lies in what is drawn: all of that, unless the picture is too small for a part of its shape
 * @param width  of what is drawn
 * @param height of what is drawn
 */
public record Cutout(Box box, Box inner, int width, int height) {
    /** All of a picture at its own size. */
    public static Cutout whole(int width, int height) {
        return new Cutout(Box.whole(width, height), Box.whole(width, height), width, height);
    }

    /** A part that is extended to the shape of what is drawn, as far as the picture goes. */
    public static Cutout of(Box part, int pictureWidth, int pictureHeight, int width, int height) {
        Box box = part.shaped(width, height, pictureWidth, pictureHeight);
        // Less than one pixel of the picture is stretched away.
        boolean fits = Math.abs((long) box.width() * height - (long) box.height() * width) < Math.max(width, height);
        if (fits) {
            return new Cutout(box, Box.whole(width, height), width, height);
        }
        int w = Math.clamp(Math.round((double) box.width() * height / box.height()), 1, width);
        int h = Math.clamp(Math.round((double) box.height() * width / box.width()), 1, height);
        return new Cutout(box, new Box((width - w) / 2, (height - h) / 2, w, h), width, height);
    }

    /** The part of a picture at the size that is drawn; around it its edges go on. */
    public Picture of(Picture picture) {
        return picture.cut(box).resized(inner.width(), inner.height()).framed(inner.x(), inner.y(), width, height);
    }

    /** What was drawn at the part's own size. */
    Picture back(Picture drawn) {
        return drawn.cut(inner).resized(box.width(), box.height());
    }
}
