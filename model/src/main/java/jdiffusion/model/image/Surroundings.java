package jdiffusion.model.image;

/**
 * Fills holes with the colours around them, smoother the farther inside: pull and push (Gortler et al., "The
 * Lumigraph", 1996, section 3.4). The picture is halved until nothing is left of the holes; then each size fills the
 * next larger one where that knows nothing.
 */
final class Surroundings {
    private Surroundings() {
    }

    /**
     * One size of the picture.
     *
     * @param colours [3, height, width]
     * @param known   [height, width] how much is known of each pixel, 0 to 1
     */
    private record Level(int width, int height, float[] colours, float[] known) {
        /** The mean of up to four pixels by what is known of them. */
        Level halved() {
            int w = (width + 1) / 2;
            int h = (height + 1) / 2;
            Level half = new Level(w, h, new float[3 * w * h], new float[w * h]);
            for (int y = 0; y < height; y++) {
                for (int x = 0; x < width; x++) {
                    int from = y * width + x;
                    int to = y / 2 * w + x / 2;
                    half.known[to] += known[from];
                    for (int c = 0; c < 3; c++) {
                        half.colours[c * w * h + to] += known[from] * colours[c * width * height + from];
                    }
                }
            }
            for (int i = 0; i < w * h; i++) {
                for (int c = 0; c < 3 && half.known[i] > 0; c++) {
                    half.colours[c * w * h + i] /= half.known[i];
                }
                half.known[i] = Math.min(1, half.known[i]);
            }
            return half;
        }

        /** Takes from the half size what is not known here. */
        void fill(Level half) {
            Bilinear bilinear = Bilinear.resize(half.width, half.height, width, height);
            float[] coarse = bilinear.of(half.colours, 3);
            for (int i = 0; i < coarse.length; i++) {
                float share = known[i % known.length];
                colours[i] = share * colours[i] + (1 - share) * coarse[i];
            }
        }
    }

    /** The picture with its surroundings' colours where the mask is white, mixed where it is grey. */
    static Picture filled(Picture picture, Mask mask) {
        int plane = picture.width() * picture.height();
        float[] known = new float[plane];
        float[] colours = new float[Math.multiplyExact(3, plane)];
        for (int i = 0; i < plane; i++) {
            known[i] = 1 - (mask.values()[i] & 0xff) / 255f;
            for (int c = 0; c < 3; c++) {
                colours[c * plane + i] = picture.rgb()[3 * i + c] & 0xff;
            }
        }
        Level whole = new Level(picture.width(), picture.height(), colours, known);
        fill(whole);
        byte[] rgb = new byte[3 * plane];
        for (int i = 0; i < plane; i++) {
            for (int c = 0; c < 3; c++) {
                rgb[3 * i + c] = (byte) Math.clamp(Math.round(colours[c * plane + i]), 0, 255);
            }
        }
        return new Picture(picture.width(), picture.height(), rgb);
    }

    private static void fill(Level level) {
        if (level.width > 1 || level.height > 1) {
            Level half = level.halved();
            fill(half);
            level.fill(half);
        }
    }
}
