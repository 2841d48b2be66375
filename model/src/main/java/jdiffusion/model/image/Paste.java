package jdiffusion.model.image;

/**
 * Puts what was drawn where it belongs in the picture that it started from, by a mask: out = m * drawn + (1 - m) * under.
 * Where the mask is 0, every byte of the picture stays.
 *
 * @param under  the whole picture
 * @param mask   of its size, 0 outside of the place
 * @param cutout where what was drawn belongs
 */
public record Paste(Picture under, Mask mask, Cutout cutout) {
    private static final int ALL = 255;

    public Paste {
        if (under.width() != mask.width() || under.height() != mask.height()) {
            throw new IllegalArgumentException("a mask of " + mask.width() + "x" + mask.height() + " for a picture of "
                    + under.width() + "x" + under.height());
        }
    }

    /** Over all of a picture. */
    public static Paste whole(Picture under, Mask mask) {
        return new Paste(under, mask, Cutout.whole(under.width(), under.height()));
    }

    /** The same over another picture of the same size. */
    public Paste over(Picture other) {
        return new Paste(other, mask, cutout);
    }

    /** @param drawn of the size at which the cutout is drawn */
    public Picture of(Picture drawn) {
        Picture part = cutout.back(drawn);
        Box box = cutout.box();
        byte[] rgb = under.rgb().clone();
        for (int y = 0; y < box.height(); y++) {
            for (int x = 0; x < box.width(); x++) {
                int at = (box.y() + y) * under.width() + box.x() + x;
                int share = mask.values()[at] & 0xff;
                for (int c = 0; c < 3; c++) {
                    int above = part.rgb()[3 * (y * box.width() + x) + c] & 0xff;
                    int below = rgb[3 * at + c] & 0xff;
                    rgb[3 * at + c] = (byte) ((share * above + (ALL - share) * below + ALL / 2) / ALL);
                }
            }
        }
        return new Picture(under.width(), under.height(), rgb);
    }

    /** Bytes of what it holds. */
    public long bytes() {
        return under.rgb().length + (long) mask.values().length;
    }
}
