package jdiffusion.model.image;

import java.awt.image.Raster;
import jdiffusion.tensor.InputException;

/**
 * The colours of a JPEG file from its decoded components, in libjpeg's fixed point: ImageIO converts some files by
 * their profile, guesses for others, and has no CMYK at all.
 */
final class JpegColours {
    private static final int SCALE = 16;
    private static final int HALF = 1 << SCALE - 1;
    private static final int CR_TO_RED = fixed(1.40200);
    private static final int CB_TO_BLUE = fixed(1.77200);
    private static final int CB_TO_GREEN = fixed(0.34414);
    private static final int CR_TO_GREEN = fixed(0.71414);

    private JpegColours() {
    }

    private static int fixed(double factor) {
        return (int) (factor * (1 << SCALE) + 0.5);
    }

    /** @param raster components as they are stored, upsampled */
    static Picture of(Raster raster, JpegSegments segments) {
        int w = raster.getWidth();
        int h = raster.getHeight();
        int bands = raster.getNumBands();
        if (bands != 1 && bands != 3 && bands != 4) {
            throw new InputException("it has " + bands + " components; save it as RGB");
        }
        boolean convert = bands > 1 && segments.isLumaChroma();
        byte[] rgb = new byte[Math.multiplyExact(3, Math.multiplyExact(w, h))];
        int[] row = new int[w * bands];
        int[] pixel = new int[3];
        for (int i = 0; i < w * h; i++) {
            int at = i % w * bands;
            if (at == 0) {
                raster.getPixels(0, i / w, w, 1, row);
            }
            for (int c = 0; c < 3; c++) {
                pixel[c] = row[at + (bands == 1 ? 0 : c)];
            }
            if (convert) {
                convert(pixel);
            }
            if (bands == 4) {
                // Stored is 255 less the ink, as Adobe does; but luma and chroma are those of the ink.
                int flip = convert ? 0 : 255;
                StoredValues.inks(rgb, i, flip ^ pixel[0], flip ^ pixel[1], flip ^ pixel[2], 255 - row[at + 3]);
            } else {
                StoredValues.put(rgb, i, pixel[0], pixel[1], pixel[2]);
            }
        }
        return new Picture(w, h, rgb);
    }

    /** Y, Cb and Cr to red, green and blue. */
    private static void convert(int[] pixel) {
        int y = pixel[0];
        int cb = pixel[1] - 128;
        int cr = pixel[2] - 128;
        pixel[0] = Math.clamp(y + (CR_TO_RED * cr + HALF >> SCALE), 0, 255);
        pixel[1] = Math.clamp(y + (-CB_TO_GREEN * cb - CR_TO_GREEN * cr + HALF >> SCALE), 0, 255);
        pixel[2] = Math.clamp(y + (CB_TO_BLUE * cb + HALF >> SCALE), 0, 255);
    }
}
