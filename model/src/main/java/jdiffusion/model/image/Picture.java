package jdiffusion.model.image;

/**
 * An 8-bit RGB picture.
 *
 * @param rgb three bytes a pixel, row by row
 */
public record Picture(int width, int height, byte[] rgb) {
    /** From this luma on a mask's pixel is drawn. */
    public static final int WHITE = 128;
    /** Taps of the Lanczos window on each side, at scale 1. */
    private static final double LANCZOS = 3;

    public Picture {
        if (width < 1 || height < 1 || rgb.length != 3L * width * height) {
            throw new IllegalArgumentException(width + "x" + height + " picture of " + rgb.length + " bytes");
        }
    }

    /** Image {@code index} of [batch, 3, height, width] values in -1 to 1. */
    public static Picture ofModel(float[] values, int index, int width, int height) {
        byte[] rgb = new byte[3 * width * height];
        int plane = width * height;
        for (int c = 0; c < 3; c++) {
            for (int i = 0; i < plane; i++) {
                float unit = Math.clamp(values[(index * 3 + c) * plane + i] / 2 + 0.5f, 0, 1);
                rgb[3 * i + c] = (byte) Math.rint(unit * 255);
            }
        }
        return new Picture(width, height, rgb);
    }

    /** [1, 3, height, width] in -1 to 1. */
    public float[] toModel() {
        int plane = width * height;
        float[] values = new float[3 * plane];
        for (int c = 0; c < 3; c++) {
            for (int i = 0; i < plane; i++) {
                values[c * plane + i] = 2 * ((rgb[3 * i + c] & 0xff) / 255f) - 1;
            }
        }
        return values;
    }

    /** Brightness 0 to 255 of each pixel, by the weights of ITU-R 601-2 in 16-bit fixed point, as Pillow does. */
    public int[] luma() {
        int[] luma = new int[width * height];
        for (int i = 0; i < luma.length; i++) {
            luma[i] = (rgb[3 * i] & 0xff) * 19595 + (rgb[3 * i + 1] & 0xff) * 38470 + (rgb[3 * i + 2] & 0xff) * 7471
                    + 0x8000 >> 16;
        }
        return luma;
    }

    /**
     * The picture as it is meant to be seen.
     *
     * @param orientation of EXIF, 1 to 8: which side of the stored picture is its top
     */
    public Picture upright(int orientation) {
        if (orientation == 1) {
            return this;
        }
        // 5 to 8 exchange rows and columns; the stored picture is then read from the right, from below, or both.
        boolean exchanged = orientation >= 5;
        boolean fromRight = orientation == 2 || orientation == 3 || orientation >= 7;
        boolean fromBelow = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
        int newWidth = exchanged ? height : width;
        int newHeight = exchanged ? width : height;
        byte[] turned = new byte[rgb.length];
        for (int i = 0; i < newWidth * newHeight; i++) {
            int x = exchanged ? i / newWidth : i % newWidth;
            int y = exchanged ? i % newWidth : i / newWidth;
            int from = (fromBelow ? height - 1 - y : y) * width + (fromRight ? width - 1 - x : x);
            System.arraycopy(rgb, 3 * from, turned, 3 * i, 3);
        }
        return new Picture(newWidth, newHeight, turned);
    }

    /** White for black, and each colour for its opposite. */
    public Picture inverted() {
        byte[] opposite = new byte[rgb.length];
        for (int i = 0; i < rgb.length; i++) {
            opposite[i] = (byte) ~rgb[i];
        }
        return new Picture(width, height, opposite);
    }

    /** The picture at another size: Lanczos, widened when shrinking, rows first, rounded to bytes after each pass. */
    public Picture resized(int newWidth, int newHeight) {
        if (newWidth == width && newHeight == height) {
            return this;
        }
        byte[] wide = resample(rgb, width, height, newWidth, 3, 3 * width, 3 * newWidth);
        byte[] out = resample(wide, height, newWidth, newHeight, 3 * newWidth, 3, 3);
        return new Picture(newWidth, newHeight, out);
    }

    /** The picture at another size: its middle of that shape, and this {@link #resized}. */
    public Picture fitted(int newWidth, int newHeight) {
        int cutWidth = Math.clamp(Math.round((double) height * newWidth / newHeight), 1, width);
        int cutHeight = Math.clamp(Math.round((double) width * newHeight / newWidth), 1, height);
        if (cutWidth == width && cutHeight == height) {
            return resized(newWidth, newHeight);
        }
        return cut(new Box((width - cutWidth) / 2, (height - cutHeight) / 2, cutWidth, cutHeight))
                .resized(newWidth, newHeight);
    }

    /** A part of the picture. */
    public Picture cut(Box box) {
        if (box.equals(Box.whole(width, height))) {
            return this;
        }
        byte[] part = new byte[Math.multiplyExact(3, Math.multiplyExact(box.width(), box.height()))];
        for (int y = 0; y < box.height(); y++) {
            System.arraycopy(rgb, 3 * ((box.y() + y) * width + box.x()), part, 3 * y * box.width(), 3 * box.width());
        }
        return new Picture(box.width(), box.height(), part);
    }

    /** The picture at a place in a larger one, around which its edges go on. */
    public Picture framed(int left, int top, int newWidth, int newHeight) {
        if (newWidth == width && newHeight == height) {
            return this;
        }
        byte[] all = new byte[Math.multiplyExact(3, Math.multiplyExact(newWidth, newHeight))];
        for (int y = 0; y < newHeight; y++) {
            int row = Math.clamp(y - top, 0, height - 1) * width;
            for (int x = 0; x < newWidth; x++) {
                int from = row + Math.clamp(x - left, 0, width - 1);
                System.arraycopy(rgb, 3 * from, all, 3 * (y * newWidth + x), 3);
            }
        }
        return new Picture(newWidth, newHeight, all);
    }

    /**
     * Blurred by a Gaussian of 2 * floor(2.5 sigma + 0.5) + 1 taps, rows first, rounded to bytes after each pass; beyond
     * the edges the picture is mirrored, the edge's own pixel not repeated.
     *
     * @param sigma pixels; 0 for none
     */
    public Picture blurred(double sigma) {
        return new Picture(width, height, GaussianBlur.of(rgb, width, height, 3, sigma));
    }

    /** With the colours around it where a mask of its size is white, mixed where that is grey. */
    public Picture filled(Mask mask) {
        return Surroundings.filled(this, mask);
    }

    /** Resamples {@code lines} lines of {@code from} pixels to {@code to} pixels each, all three channels. */
    private static byte[] resample(byte[] in, int from, int lines, int to, int step, int lineIn, int lineOut) {
        byte[] out = new byte[Math.multiplyExact(3, Math.multiplyExact(lines, to))];
        double scale = (double) from / to;
        double stretch = Math.max(scale, 1);
        double[] taps = new double[(int) Math.ceil(LANCZOS * stretch) * 2 + 1];
        for (int i = 0; i < to; i++) {
            double centre = (i + 0.5) * scale;
            int first = Math.max(0, (int) (centre - LANCZOS * stretch + 0.5));
            int last = Math.min(from, (int) (centre + LANCZOS * stretch + 0.5));
            double sum = 0;
            for (int j = first; j < last; j++) {
                taps[j - first] = window((j - centre + 0.5) / stretch);
                sum += taps[j - first];
            }
            for (int line = 0; line < lines; line++) {
                for (int c = 0; c < 3; c++) {
                    double value = 0;
                    for (int j = first; j < last; j++) {
                        value += taps[j - first] * (in[line * lineIn + j * step + c] & 0xff);
                    }
                    out[line * lineOut + i * step + c] =
                            (byte) Math.clamp((long) Math.floor(value / sum + 0.5), 0, 255);
                }
            }
        }
        return out;
    }

    private static double window(double x) {
        if (x == 0) {
            return 1;
        }
        if (Math.abs(x) >= LANCZOS) {
            return 0;
        }
        double a = Math.PI * x;
        return Math.sin(a) / a * Math.sin(a / LANCZOS) / (a / LANCZOS);
    }
}
