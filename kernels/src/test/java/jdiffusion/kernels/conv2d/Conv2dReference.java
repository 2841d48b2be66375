package jdiffusion.kernels.conv2d;

import jdiffusion.kernels.Precision;
import jdiffusion.kernels.TestTensors;

/** Convolution by its definition: in double as the truth, and in float32 as the measure of a fair error. */
final class Conv2dReference {
    private Conv2dReference() {
    }

    /** x [batch, h, w, cin], weight [cout, cin, kernel, kernel], bias [cout], [batch, cout] or null, old [batch, oh, ow, cout]. */
    static double[] exact(Conv2dShape s, float[] x, float[] weight, float[] bias, float[] old) {
        double[] out = new double[s.batch() * s.outHeight() * s.outWidth() * s.cout()];
        for (int i = 0; i < out.length; i++) {
            int o = i % s.cout();
            double sum = bias(s, bias, i);
            for (int c = 0; c < s.cin(); c++) {
                for (int tap = 0; tap < s.kernel() * s.kernel(); tap++) {
                    int at = input(s, i / s.cout(), tap, c);
                    sum += at < 0 ? 0 : (double) x[at] * weight(s, weight, o, c, tap);
                }
            }
            out[i] = sum + (old == null ? 0 : old[i]);
        }
        return out;
    }

    private static float bias(Conv2dShape s, float[] bias, int i) {
        int image = i / (s.outHeight() * s.outWidth() * s.cout());
        return bias == null ? 0 : bias[bias.length == s.cout() ? i % s.cout() : image * s.cout() + i % s.cout()];
    }

    static float[] naive(Conv2dShape s, float[] x, float[] weight, float[] bias, float[] old) {
        float[] out = new float[s.batch() * s.outHeight() * s.outWidth() * s.cout()];
        for (int i = 0; i < out.length; i++) {
            int o = i % s.cout();
            float sum = bias(s, bias, i);
            for (int c = 0; c < s.cin(); c++) {
                for (int tap = 0; tap < s.kernel() * s.kernel(); tap++) {
                    int at = input(s, i / s.cout(), tap, c);
                    sum += at < 0 ? 0 : x[at] * weight(s, weight, o, c, tap);
                }
            }
            out[i] = sum + (old == null ? 0 : old[i]);
        }
        return out;
    }

    /**
     * Of x [batch, h, w, cin], doubled by repetition to the shape's size; weights of taps on the same pixel are added
     * first, and rounded to the precision.
     */
    static double[] doubledExact(Conv2dShape s, float[] x, float[] weight, float[] bias, Precision precision) {
        double[] out = new double[s.batch() * s.outHeight() * s.outWidth() * s.cout()];
        for (int i = 0; i < out.length; i++) {
            out[i] = bias[i % s.cout()];
            for (int c = 0; c < s.cin(); c++) {
                for (int place = 0; place < 4; place++) {
                    out[i] += (double) doubledInput(s, x, i / s.cout(), place, c)
                            * doubledWeight(s, weight, i, place, c, precision);
                }
            }
        }
        return out;
    }

    static float[] doubledNaive(Conv2dShape s, float[] x, float[] weight, float[] bias, Precision precision) {
        float[] out = new float[s.batch() * s.outHeight() * s.outWidth() * s.cout()];
        for (int i = 0; i < out.length; i++) {
            out[i] = bias[i % s.cout()];
            for (int c = 0; c < s.cin(); c++) {
                for (int place = 0; place < 4; place++) {
                    out[i] += doubledInput(s, x, i / s.cout(), place, c)
                            * doubledWeight(s, weight, i, place, c, precision);
                }
            }
        }
        return out;
    }

    /** The pixel of the small image under a place of a 2x2 square, 0 in the padding. */
    private static float doubledInput(Conv2dShape s, float[] x, int pixel, int place, int c) {
        int image = pixel / (s.outHeight() * s.outWidth());
        int y = Math.floorDiv(pixel / s.outWidth() % s.outHeight() - 1, 2) + place / 2;
        int column = Math.floorDiv(pixel % s.outWidth() - 1, 2) + place % 2;
        int height = s.height() / 2;
        int width = s.width() / 2;
        return y < 0 || y >= height || column < 0 || column >= width ? 0
                : x[((image * height + y) * width + column) * s.cin() + c];
    }

    private static float doubledWeight(Conv2dShape s, float[] weight, int i, int place, int c, Precision precision) {
        int pixel = i / s.cout();
        int oddRow = pixel / s.outWidth() % 2;
        int oddColumn = pixel % s.outWidth() % 2;
        float sum = 0;
        for (int tap = 0; tap < 9; tap++) {
            // Pixels y + dy - 1 of the doubled image, for the three dy, are two of the small one.
            int row = (oddRow + tap / 3 - 1 + 2) / 2 - (oddRow + 1) / 2;
            int column = (oddColumn + tap % 3 - 1 + 2) / 2 - (oddColumn + 1) / 2;
            sum += row == place / 2 && column == place % 2 ? weight(s, weight, i % s.cout(), c, tap) : 0;
        }
        return TestTensors.rounded(precision, new float[] {sum})[0];
    }

    private static float weight(Conv2dShape s, float[] weight, int o, int c, int tap) {
        return weight[(o * s.cin() + c) * s.kernel() * s.kernel() + tap];
    }

    /** Index of the input under a tap of the kernel, or -1 in the padding. */
    private static int input(Conv2dShape s, int pixel, int tap, int c) {
        int image = pixel / (s.outHeight() * s.outWidth());
        int y = pixel / s.outWidth() % s.outHeight() * s.stride() - s.padLow() + tap / s.kernel();
        int x = pixel % s.outWidth() * s.stride() - s.padLow() + tap % s.kernel();
        if (y < 0 || y >= s.height() || x < 0 || x >= s.width()) {
            return -1;
        }
        return ((image * s.height() + y) * s.width() + x) * s.cin() + c;
    }
}
