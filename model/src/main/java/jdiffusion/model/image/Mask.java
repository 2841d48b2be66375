package jdiffusion.model.image;

import java.util.Arrays;

/**
 * How much of each pixel is drawn anew: 0 nothing, 255 all.
 *
 * @param values one byte a pixel, row by row
 */
public record Mask(int width, int height, byte[] values) {
    private static final int ALL = 255;

    public Mask {
        if (width < 1 || height < 1 || values.length != (long) width * height) {
            throw new IllegalArgumentException(width + "x" + height + " mask of " + values.length + " bytes");
        }
    }

    /** The brightness of a picture. */
    public static Mask of(Picture picture) {
        int[] luma = picture.luma();
        byte[] values = new byte[luma.length];
        for (int i = 0; i < values.length; i++) {
            values[i] = (byte) luma[i];
        }
        return new Mask(picture.width(), picture.height(), values);
    }

    /** What a mask without soft edges selects: all or nothing of each pixel. */
    public Mask hard() {
        byte[] all = new byte[values.length];
        for (int i = 0; i < all.length; i++) {
            all[i] = (byte) ((values[i] & 0xff) >= Picture.WHITE ? ALL : 0);
        }
        return new Mask(width, height, all);
    }

    public Mask inverted() {
        byte[] all = new byte[values.length];
        for (int i = 0; i < all.length; i++) {
            all[i] = (byte) (ALL - (values[i] & 0xff));
        }
        return new Mask(width, height, all);
    }

    /** Blurred by a Gaussian; see {@link Picture#blurred}. */
    public Mask blurred(double sigma) {
        return new Mask(width, height, GaussianBlur.of(values, width, height, 1, sigma));
    }

    /** The smallest box around all that is not 0; null when all is. */
    public Box box() {
        int left = width;
        int right = 0;
        int top = height;
        int bottom = 0;
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                if (values[y * width + x] != 0) {
                    left = Math.min(left, x);
                    right = Math.max(right, x + 1);
                    top = Math.min(top, y);
                    bottom = y + 1;
                }
            }
        }
        return right == 0 ? null : new Box(left, top, right - left, bottom - top);
    }

    /** The larger value of both, of masks of one size. */
    public Mask or(Mask other) {
        byte[] all = new byte[values.length];
        for (int i = 0; i < all.length; i++) {
            all[i] = (byte) Math.max(values[i] & 0xff, other.values[i] & 0xff);
        }
        return new Mask(width, height, all);
    }

    /** Whether nothing is drawn. */
    public boolean isEmpty() {
        return Arrays.equals(values, new byte[values.length]);
    }

    /** In shades of grey. */
    public Picture picture() {
        byte[] rgb = new byte[Math.multiplyExact(3, values.length)];
        for (int i = 0; i < rgb.length; i++) {
            rgb[i] = values[i / 3];
        }
        return new Picture(width, height, rgb);
    }
}
