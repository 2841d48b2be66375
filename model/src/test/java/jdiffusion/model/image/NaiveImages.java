package jdiffusion.model.image;

import java.util.function.IntUnaryOperator;

/** Plain loops for what is done to pictures, as their definitions say it. */
public final class NaiveImages {
    private NaiveImages() {
    }

    /** A Gaussian of 2 * floor(2.5 sigma + 0.5) + 1 taps on one channel, rounded after the rows and after the columns. */
    public static int[] blurred(int[] values, int width, int height, double sigma) {
        int reach = (int) Math.floor(2.5 * sigma + 0.5);
        int[] rows = new int[values.length];
        int[] out = new int[values.length];
        for (int pass = 0; pass < 2; pass++) {
            for (int y = 0; y < height; y++) {
                for (int x = 0; x < width; x++) {
                    double sum = 0;
                    double weights = 0;
                    for (int d = -reach; d <= reach; d++) {
                        double weight = Math.exp(-d * d / (2 * sigma * sigma));
                        weights += weight;
                        sum += weight * (pass == 0 ? values[y * width + reflected(x + d, width)]
                                : rows[reflected(y + d, height) * width + x]);
                    }
                    (pass == 0 ? rows : out)[y * width + x] = (int) Math.round(sum / weights);
                }
            }
        }
        return out;
    }

    /** Walks back and forth between the first and the last place. */
    public static int reflected(int i, int count) {
        int at = i;
        while (count > 1 && (at < 0 || at >= count)) {
            at = at < 0 ? -at : 2 * (count - 1) - at;
        }
        return count == 1 ? 0 : at;
    }

    /** A Lanczos window of three lobes, widened when shrinking; rows, rounded, then columns. */
    public static Picture lanczos(Picture picture, int width, int height) {
        int[][] across = new int[3][];
        byte[] rgb = new byte[3 * width * height];
        for (int c = 0; c < 3; c++) {
            across[c] = new int[width * picture.height()];
            for (int y = 0; y < picture.height(); y++) {
                for (int x = 0; x < width; x++) {
                    int line = y;
                    int channel = c;
                    across[c][y * width + x] = lanczos(x, picture.width(), width,
                            i -> picture.rgb()[3 * (line * picture.width() + i) + channel] & 0xff);
                }
            }
            for (int y = 0; y < height; y++) {
                for (int x = 0; x < width; x++) {
                    int column = x;
                    int[] values = across[c];
                    rgb[3 * (y * width + x) + c] = (byte) lanczos(y, picture.height(), height,
                            i -> values[i * width + column]);
                }
            }
        }
        return new Picture(width, height, rgb);
    }

    private static int lanczos(int to, int from, int count, IntUnaryOperator value) {
        if (from == count) {
            return value.applyAsInt(to);
        }
        double ratio = (double) from / count;
        double middle = (to + 0.5) * ratio;
        double sum = 0;
        double weights = 0;
        for (int i = 0; i < from; i++) {
            double x = (i - middle + 0.5) / Math.max(1, ratio);
            double a = Math.PI * x;
            // In this order, so that halves are rounded alike.
            double weight = x == 0 ? 1 : Math.abs(x) >= 3 ? 0
                    : Math.sin(a) / a * Math.sin(a / 3) / (a / 3);
            sum += weight * value.applyAsInt(i);
            weights += weight;
        }
        return Math.clamp((long) Math.floor(sum / weights + 0.5), 0, 255);
    }

    /** A plane at another size: each place between its four neighbours, those beyond the edges being the edges. */
    public static double[] bilinear(float[] plane, int width, int height, int newWidth, int newHeight) {
        double[] out = new double[newWidth * newHeight];
        for (int y = 0; y < newHeight; y++) {
            for (int x = 0; x < newWidth; x++) {
                double atX = Math.max(0, (x + 0.5) * width / newWidth - 0.5);
                double atY = Math.max(0, (y + 0.5) * height / newHeight - 0.5);
                for (int corner = 0; corner < 4; corner++) {
                    int cx = (int) atX + corner % 2;
                    int cy = (int) atY + corner / 2;
                    double weight = (1 - Math.abs(atX - cx)) * (1 - Math.abs(atY - cy));
                    out[y * newWidth + x] += weight
                            * plane[Math.min(cy, height - 1) * width + Math.min(cx, width - 1)];
                }
            }
        }
        return out;
    }

    /** By hand: m * drawn + (1 - m) * under, at a place. */
    public static Picture pasted(Picture under, Picture drawn, int left, int top, int[] mask) {
        byte[] rgb = under.rgb().clone();
        for (int y = 0; y < drawn.height(); y++) {
            for (int x = 0; x < drawn.width(); x++) {
                int at = (top + y) * under.width() + left + x;
                for (int c = 0; c < 3; c++) {
                    double above = drawn.rgb()[3 * (y * drawn.width() + x) + c] & 0xff;
                    double below = under.rgb()[3 * at + c] & 0xff;
                    double share = mask[at] / 255.0;
                    rgb[3 * at + c] = (byte) Math.round(share * above + (1 - share) * below);
                }
            }
        }
        return new Picture(under.width(), under.height(), rgb);
    }

    /** A part of a picture. */
    public static Picture part(Picture picture, int left, int top, int width, int height) {
        byte[] rgb = new byte[3 * width * height];
        for (int i = 0; i < rgb.length; i++) {
            int x = left + i / 3 % width;
            int y = top + i / 3 / width;
            rgb[i] = picture.rgb()[3 * (y * picture.width() + x) + i % 3];
        }
        return new Picture(width, height, rgb);
    }

    public static Picture grey(int[] values, int width, int height) {
        byte[] rgb = new byte[3 * values.length];
        for (int i = 0; i < rgb.length; i++) {
            rgb[i] = (byte) values[i / 3];
        }
        return new Picture(width, height, rgb);
    }
}
