package jdiffusion.model.image;

import java.awt.color.ColorSpace;
import java.awt.image.BufferedImage;
import java.awt.image.ColorModel;
import java.awt.image.DataBuffer;
import java.awt.image.IndexColorModel;
import java.awt.image.Raster;
import jdiffusion.tensor.InputException;

/**
 * The numbers that stand in a picture's file, in 8 bits, whatever colour space they are meant for: profiles and gammas
 * are ignored, as Pillow's {@code convert("RGB")} does. Nothing here asks AWT for colours, since that converts some
 * spaces and leaves others.
 *
 * @param colours without regard to transparency
 * @param alpha   as shades of grey, white for opaque; null when the file has none
 */
record StoredValues(Picture colours, Picture alpha) {
    private static final int CMYK = 4;

    /**
     * The values of a decoded image.
     *
     * @throws InputException when they are no grey, RGB or CMYK of whole numbers up to 16 bits
     */
    static StoredValues of(BufferedImage image) {
        ColorModel model = image.getColorModel();
        return model instanceof IndexColorModel palette ? looked(image.getRaster(), palette)
                : sampled(image.getRaster(), model);
    }

    private static StoredValues looked(Raster raster, IndexColorModel palette) {
        int w = raster.getWidth();
        int h = raster.getHeight();
        byte[] rgb = new byte[Math.multiplyExact(3, Math.multiplyExact(w, h))];
        byte[] alpha = palette.hasAlpha() ? new byte[rgb.length] : null;
        int[] row = new int[w];
        for (int i = 0; i < rgb.length / 3; i++) {
            if (i % w == 0) {
                raster.getSamples(0, i / w, w, 1, 0, row);
            }
            int index = Math.min(row[i % w], palette.getMapSize() - 1);
            put(rgb, i, palette.getRed(index), palette.getGreen(index), palette.getBlue(index));
            grey(alpha, i, alpha == null ? 0 : palette.getAlpha(index));
        }
        return new StoredValues(new Picture(w, h, rgb), alpha == null ? null : new Picture(w, h, alpha));
    }

    private static StoredValues sampled(Raster raster, ColorModel model) {
        int colours = model.getNumColorComponents();
        int type = model.getColorSpace().getType();
        if (type != ColorSpace.TYPE_GRAY && type != ColorSpace.TYPE_RGB && type != ColorSpace.TYPE_CMYK
                || colours != (type == ColorSpace.TYPE_GRAY ? 1 : type == ColorSpace.TYPE_RGB ? 3 : CMYK)) {
            throw new InputException("its colours are neither grey, RGB nor CMYK; save it as RGB");
        }
        int data = raster.getSampleModel().getDataType();
        int[] bits = raster.getSampleModel().getSampleSize();
        if (data == DataBuffer.TYPE_SHORT || data == DataBuffer.TYPE_FLOAT || data == DataBuffer.TYPE_DOUBLE
                || bits[0] > Short.SIZE) {
            throw new InputException("its samples have a sign, a fraction or more than 16 bits; save it with 8 bits");
        }
        int w = raster.getWidth();
        int h = raster.getHeight();
        int bands = raster.getNumBands();
        byte[] rgb = new byte[Math.multiplyExact(3, Math.multiplyExact(w, h))];
        byte[] alpha = model.hasAlpha() ? new byte[rgb.length] : null;
        int[] row = new int[w * bands];
        for (int i = 0; i < rgb.length / 3; i++) {
            int at = i % w * bands;
            if (at == 0) {
                raster.getPixels(0, i / w, w, 1, row);
                for (int b = 0; b < row.length; b++) {
                    row[b] = eightBits(row[b], bits[b % bands]);
                }
            }
            int opacity = alpha == null ? 255 : row[at + colours];
            if (model.isAlphaPremultiplied() && opacity > 0) {
                for (int c = 0; c < colours; c++) {
                    row[at + c] = Math.min(255, 255 * row[at + c] / opacity);
                }
            }
            grey(alpha, i, opacity);
            if (colours == CMYK) {
                inks(rgb, i, row[at], row[at + 1], row[at + 2], row[at + 3]);
            } else {
                put(rgb, i, row[at], row[at + colours / 2], row[at + colours - 1]);
            }
        }
        return new StoredValues(new Picture(w, h, rgb), alpha == null ? null : new Picture(w, h, alpha));
    }

    /** Of 16 bits the upper half, as Pillow takes; fewer bits spread over the whole range. */
    private static int eightBits(int value, int bits) {
        int most = (1 << bits) - 1;
        return bits >= 8 ? value >> bits - 8 : (value * 255 + most / 2) / most;
    }

    /** Cyan, magenta, yellow and black, 255 for all of it, as Pillow mixes them. */
    static void inks(byte[] rgb, int pixel, int c, int m, int y, int k) {
        int light = 255 - k;
        put(rgb, pixel, light - share(c, light), light - share(m, light), light - share(y, light));
    }

    /** a b / 255, rounded. */
    private static int share(int a, int b) {
        int product = a * b + 128;
        return (product >> 8) + product >> 8;
    }

    static void put(byte[] rgb, int pixel, int red, int green, int blue) {
        rgb[3 * pixel] = (byte) red;
        rgb[3 * pixel + 1] = (byte) green;
        rgb[3 * pixel + 2] = (byte) blue;
    }

    private static void grey(byte[] rgb, int pixel, int value) {
        if (rgb != null) {
            put(rgb, pixel, value, value, value);
        }
    }

    /** Both turned as the file asks; see {@link Picture#upright}. */
    StoredValues upright(int orientation) {
        return new StoredValues(colours.upright(orientation), alpha == null ? null : alpha.upright(orientation));
    }
}
