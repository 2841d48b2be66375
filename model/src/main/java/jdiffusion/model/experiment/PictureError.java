package jdiffusion.model.experiment;

import jdiffusion.model.image.Picture;
import jdiffusion.tensor.InputException;

/**
 * How far two pictures are apart.
 *
 * @param psnr      peak signal-to-noise ratio of the three channels in dB; infinite for equal pictures
 * @param ssim      structural similarity (Wang et al., "Image Quality Assessment", 2004) of the brightness: windows of
 *                  11x11 pixels weighted by a Gaussian of deviation 1.5, K1 0.01, K2 0.03; NaN for pictures below 11x11
 * @param mean      absolute difference of a channel, 0 to 255
 * @param largest   absolute difference of a channel
 * @param different pixels
 */
public record PictureError(double psnr, double ssim, double mean, int largest, int different) {
    private static final int WINDOW = 11;
    private static final double DEVIATION = 1.5;
    private static final double PEAK = 255;
    private static final double C1 = Math.pow(0.01 * PEAK, 2);
    private static final double C2 = Math.pow(0.03 * PEAK, 2);

    /** @throws InputException when they differ in size */
    public static PictureError of(Picture a, Picture b) {
        if (a.width() != b.width() || a.height() != b.height()) {
            throw new InputException("one picture is " + a.width() + "x" + a.height() + ", the other " + b.width()
                    + "x" + b.height() + "; only pictures of one size can be compared");
        }
        double squares = 0;
        double sum = 0;
        int largest = 0;
        int different = 0;
        for (int i = 0; i < a.rgb().length; i += 3) {
            boolean differs = false;
            for (int c = i; c < i + 3; c++) {
                int d = Math.abs((a.rgb()[c] & 0xff) - (b.rgb()[c] & 0xff));
                squares += (double) d * d;
                sum += d;
                largest = Math.max(largest, d);
                differs |= d > 0;
            }
            different += differs ? 1 : 0;
        }
        double error = squares / a.rgb().length;
        return new PictureError(error == 0 ? Double.POSITIVE_INFINITY : 10 * Math.log10(PEAK * PEAK / error),
                ssim(a, b), sum / a.rgb().length, largest, different);
    }

    private static double ssim(Picture a, Picture b) {
        int width = a.width();
        int height = a.height();
        if (width < WINDOW || height < WINDOW) {
            return Double.NaN;
        }
        double[] x = brightness(a);
        double[] y = brightness(b);
        double[] meanX = blurred(x, width, height);
        double[] meanY = blurred(y, width, height);
        double[] xx = blurred(product(x, x), width, height);
        double[] yy = blurred(product(y, y), width, height);
        double[] xy = blurred(product(x, y), width, height);
        double sum = 0;
        for (int i = 0; i < meanX.length; i++) {
            double mx = meanX[i];
            double my = meanY[i];
            sum += (2 * mx * my + C1) * (2 * (xy[i] - mx * my) + C2)
                    / ((mx * mx + my * my + C1) * (xx[i] - mx * mx + yy[i] - my * my + C2));
        }
        return sum / meanX.length;
    }

    private static double[] brightness(Picture picture) {
        double[] values = new double[picture.width() * picture.height()];
        for (int i = 0; i < values.length; i++) {
            values[i] = 0.299 * (picture.rgb()[3 * i] & 0xff) + 0.587 * (picture.rgb()[3 * i + 1] & 0xff)
                    + 0.114 * (picture.rgb()[3 * i + 2] & 0xff);
        }
        return values;
    }

    private static double[] product(double[] a, double[] b) {
        double[] product = new double[a.length];
        for (int i = 0; i < a.length; i++) {
            product[i] = a[i] * b[i];
        }
        return product;
    }

    /** Weighted means of all windows that lie within the picture. */
    private static double[] blurred(double[] values, int width, int height) {
        double[] weights = new double[WINDOW];
        double total = 0;
        for (int i = 0; i < WINDOW; i++) {
            double d = i - WINDOW / 2;
            weights[i] = Math.exp(-d * d / (2 * DEVIATION * DEVIATION));
            total += weights[i];
        }
        int columns = width - WINDOW + 1;
        int rows = height - WINDOW + 1;
        double[] across = new double[height * columns];
        for (int i = 0; i < across.length; i++) {
            for (int k = 0; k < WINDOW; k++) {
                across[i] += weights[k] / total * values[i / columns * width + i % columns + k];
            }
        }
        double[] out = new double[rows * columns];
        for (int i = 0; i < out.length; i++) {
            for (int k = 0; k < WINDOW; k++) {
                out[i] += weights[k] / total * across[i + k * columns];
            }
        }
        return out;
    }

    /** Cosine of the angle between two lists of numbers; 1 for equal ones. */
    public static double cosine(float[] a, float[] b) {
        double dot = 0;
        double aa = 0;
        double bb = 0;
        for (int i = 0; i < a.length; i++) {
            dot += (double) a[i] * b[i];
            aa += (double) a[i] * a[i];
            bb += (double) b[i] * b[i];
        }
        return aa == 0 && bb == 0 ? 1 : dot / Math.sqrt(aa * bb);
    }

    /** |a - b|, brightened so that the largest difference is white; black where there is none. */
    public static Picture difference(Picture a, Picture b) {
        byte[] rgb = new byte[a.rgb().length];
        int largest = of(a, b).largest;
        for (int i = 0; i < rgb.length && largest > 0; i++) {
            int d = Math.abs((a.rgb()[i] & 0xff) - (b.rgb()[i] & 0xff));
            rgb[i] = (byte) (d * 255 / largest);
        }
        return new Picture(a.width(), a.height(), rgb);
    }
}
