package jdiffusion.model.image;

import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdiffusion.tensor.InputException;

/** What is to be drawn around a picture, in pixels of each side. */
public record Border(int left, int top, int right, int bottom) {
    private static final Pattern FORM = Pattern.compile("(\\d{1,5}),(\\d{1,5}),(\\d{1,5}),(\\d{1,5})");
    /** How far the mirrored picture is blurred, in pixels. */
    private static final double BLUR = 8;
    /** The noise on it: whole numbers from -NOISE to NOISE, small ones more often. */
    private static final int NOISE = 24;
    private static final int WHITE = 0xff;

    public Border {
        if (left < 0 || top < 0 || right < 0 || bottom < 0) {
            throw new InputException("a border of " + left + "," + top + "," + right + "," + bottom
                    + " pixels: none of the four can be below 0");
        }
        if (left == 0 && top == 0 && right == 0 && bottom == 0) {
            throw new InputException("a border of 0 pixels on all sides: there is nothing to draw around the picture");
        }
    }

    /**
     * Left, top, right and bottom between commas.
     *
     * @param name of the option or field, for messages
     */
    public static Border of(String text, String name) {
        Matcher matcher = FORM.matcher(text.strip());
        if (!matcher.matches()) {
            throw new InputException(name + " is '" + InputException.shown(text) + "'; give the pixels to add on the"
                    + " left, at the top, on the right and at the bottom, such as 64,0,64,0");
        }
        return new Border(Integer.parseInt(matcher.group(1)), Integer.parseInt(matcher.group(2)),
                Integer.parseInt(matcher.group(3)), Integer.parseInt(matcher.group(4)));
    }

    /** Left, top, right and bottom between commas. */
    public String text() {
        return left + "," + top + "," + right + "," + bottom;
    }

    /** With the border. */
    public int width(int ofPicture) {
        return Math.addExact(ofPicture, left + right);
    }

    /** With the border. */
    public int height(int ofPicture) {
        return Math.addExact(ofPicture, top + bottom);
    }

    /**
     * Fails with the nearest border that works, when a model cannot draw the size that this one makes of a picture.
     *
     * @param multiple of which the model draws sizes
     */
    public void check(int pictureWidth, int pictureHeight, int multiple) {
        int wide = width(pictureWidth);
        int high = height(pictureHeight);
        if (wide % multiple == 0 && high % multiple == 0) {
            return;
        }
        int across = nearest(wide, pictureWidth, multiple) - wide;
        int down = nearest(high, pictureHeight, multiple) - high;
        Border other = changed(across, down);
        throw new InputException("a border of " + text() + " makes the picture " + wide + "x" + high
                + ", and this model draws multiples of " + multiple + "; the nearest that works is " + other.text()
                + ", for " + other.width(pictureWidth) + "x" + other.height(pictureHeight));
    }

    /** Of sides with a border, if there is one on that axis. */
    private static int nearest(int side, int picture, int multiple) {
        int below = side / multiple * multiple;
        boolean borderLeft = below > picture || side == picture && below == picture;
        return borderLeft && side - below <= below + multiple - side ? below : below + multiple;
    }

    /** Sides that have a border change first; the second takes what the first has not. */
    private Border changed(int across, int down) {
        int onRight = right > 0 || left == 0 ? Math.max(across, -right) : 0;
        int atBottom = bottom > 0 || top == 0 ? Math.max(down, -bottom) : 0;
        return new Border(left + across - onRight, top + down - atBottom, right + onRight, bottom + atBottom);
    }

    /**
     * The picture with the border: mirrored at its edges, blurred, and with some noise, the same each time, since models
     * make more of that than of a flat colour. The picture itself stays as it is.
     */
    public Picture around(Picture picture) {
        int wide = width(picture.width());
        int high = height(picture.height());
        byte[] mirrored = new byte[Math.multiplyExact(3, Math.multiplyExact(wide, high))];
        for (int y = 0; y < high; y++) {
            int row = GaussianBlur.mirrored(y - top, picture.height()) * picture.width();
            for (int x = 0; x < wide; x++) {
                int from = row + GaussianBlur.mirrored(x - left, picture.width());
                System.arraycopy(picture.rgb(), 3 * from, mirrored, 3 * (y * wide + x), 3);
            }
        }
        byte[] rgb = new Picture(wide, high, mirrored).blurred(BLUR).rgb();
        Random random = new Random(0);
        for (int i = 0; i < rgb.length; i++) {
            int noise = random.nextInt(NOISE + 1) - random.nextInt(NOISE + 1);
            rgb[i] = (byte) Math.clamp((rgb[i] & 0xff) + noise, 0, 255);
        }
        for (int y = 0; y < picture.height(); y++) {
            System.arraycopy(picture.rgb(), 3 * y * picture.width(), rgb, 3 * ((top + y) * wide + left),
                    3 * picture.width());
        }
        return new Picture(wide, high, rgb);
    }

    /** A mask of the picture, with nothing selected in the border. */
    Mask around(Mask mask) {
        int wide = width(mask.width());
        byte[] values = new byte[Math.multiplyExact(wide, height(mask.height()))];
        for (int y = 0; y < mask.height(); y++) {
            System.arraycopy(mask.values(), y * mask.width(), values, (top + y) * wide + left, mask.width());
        }
        return new Mask(wide, height(mask.height()), values);
    }

    /**
     * The border as a mask.
     *
     * @param into pixels that it goes into the picture, where there is a border
     * @param mask of the picture, which is selected too; null for none
     */
    public Mask mask(int pictureWidth, int pictureHeight, int into, Mask mask) {
        int wide = width(pictureWidth);
        int high = height(pictureHeight);
        byte[] values = new byte[Math.multiplyExact(wide, high)];
        int fromX = left == 0 ? 0 : left + into;
        int toX = right == 0 ? wide : wide - right - into;
        int fromY = top == 0 ? 0 : top + into;
        int toY = bottom == 0 ? high : high - bottom - into;
        for (int y = 0; y < high; y++) {
            for (int x = 0; x < wide; x++) {
                boolean inside = x >= fromX && x < toX && y >= fromY && y < toY;
                values[y * wide + x] = (byte) (inside ? 0 : WHITE);
            }
        }
        Mask border = new Mask(wide, high, values);
        return mask == null ? border : border.or(around(mask));
    }
}
