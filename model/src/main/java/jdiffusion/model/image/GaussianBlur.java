package jdiffusion.model.image;

/**
 * Blur by a Gaussian, as AUTOMATIC1111's web UI blurs masks: 2 * floor(2.5 sigma + 0.5) + 1 taps, rows first, rounded to
 * bytes after each pass; beyond the edges the picture is mirrored, the edge's own pixel not repeated.
 */
final class GaussianBlur {
    private static final double REACH = 2.5;

    private GaussianBlur() {
    }

    /**
     * @param values channels of a pixel side by side, row by row
     * @param sigma  pixels; 0 gives the values themselves
     */
    static byte[] of(byte[] values, int width, int height, int channels, double sigma) {
        if (sigma == 0) {
            return values;
        }
        double[] taps = taps(sigma);
        byte[] out = new byte[values.length];
        byte[] wide = new byte[values.length];
        int row = width * channels;
        for (int y = 0; y < height; y++) {
            for (int c = 0; c < channels; c++) {
                line(values, y * row + c, channels, width, taps, wide);
            }
        }
        for (int x = 0; x < row; x++) {
            line(wide, x, row, height, taps, out);
        }
        return out;
    }

    /** The middle one and those on one side; all of both sides sum to 1. */
    private static double[] taps(double sigma) {
        double[] taps = new double[(int) (REACH * sigma + 0.5) + 1];
        double sum = 0;
        for (int i = 0; i < taps.length; i++) {
            taps[i] = Math.exp(-0.5 * i * i / (sigma * sigma));
            sum += i == 0 ? taps[i] : 2 * taps[i];
        }
        for (int i = 0; i < taps.length; i++) {
            taps[i] /= sum;
        }
        return taps;
    }

    private static void line(byte[] in, int first, int step, int count, double[] taps, byte[] out) {
        int reach = taps.length - 1;
        double[] line = new double[count + 2 * reach];
        for (int i = 0; i < line.length; i++) {
            line[i] = in[first + mirrored(i - reach, count) * step] & 0xff;
        }
        for (int i = 0; i < count; i++) {
            double value = taps[0] * line[i + reach];
            for (int t = 1; t <= reach; t++) {
                value += taps[t] * (line[i + reach - t] + line[i + reach + t]);
            }
            out[first + i * step] = (byte) Math.clamp(Math.round(value), 0, 255);
        }
    }

    /** The place within a line of {@code count} pixels that one outside of it shows. */
    static int mirrored(int i, int count) {
        if (count == 1) {
            return 0;
        }
        int period = 2 * (count - 1);
        int at = Math.floorMod(i, period);
        return at < count ? at : period - at;
    }
}
