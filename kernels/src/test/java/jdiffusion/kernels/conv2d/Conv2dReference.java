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
        int[] at = new int[s.kernel() * s.kernel()];
        for (int i = 0; i < out.length; i++) {
            if (i % s.cout() == 0) {
                inputs(s, i / s.cout(), at);
            }
            double sum = bias(s, bias, i);
            int w = i % s.cout() * s.cin() * at.length;
            for (int c = 0; c < s.cin(); c++) {
                for (int tap = 0; tap < at.length; tap++, w++) {
                    sum += at[tap] < 0 ? 0 : (double) x[at[tap] + c] * weight[w];
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
        int[] at = new int[s.kernel() * s.kernel()];
        for (int i = 0; i < out.length; i++) {
            if (i % s.cout() == 0) {
                inputs(s, i / s.cout(), at);
            }
            float sum = bias(s, bias, i);
            int w = i % s.cout() * s.cin() * at.length;
            for (int c = 0; c < s.cin(); c++) {
                for (int tap = 0; tap < at.length; tap++, w++) {
                    sum += at[tap] < 0 ? 0 : x[at[tap] + c] * weight[w];
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
        float[] squares = doubledWeights(s, weight, precision);
        int[] at = new int[4];
        for (int i = 0; i < out.length; i++) {
            if (i % s.cout() == 0) {
                doubledInputs(s, i / s.cout(), at);
            }
            out[i] = bias[i % s.cout()];
            int square = (parity(s, i / s.cout()) * s.cout() + i % s.cout()) * s.cin() * 4;
            for (int c = 0; c < s.cin(); c++) {
                for (int place = 0; place < 4; place++) {
                    out[i] += at[place] < 0 ? 0 : (double) x[at[place] + c] * squares[square + c * 4 + place];
                }
            }
        }
        return out;
    }

    static float[] doubledNaive(Conv2dShape s, float[] x, float[] weight, float[] bias, Precision precision) {
        float[] out = new float[s.batch() * s.outHeight() * s.outWidth() * s.cout()];
        float[] squares = doubledWeights(s, weight, precision);
        int[] at = new int[4];
        for (int i = 0; i < out.length; i++) {
            if (i % s.cout() == 0) {
                doubledInputs(s, i / s.cout(), at);
            }
            out[i] = bias[i % s.cout()];
            int square = (parity(s, i / s.cout()) * s.cout() + i % s.cout()) * s.cin() * 4;
            for (int c = 0; c < s.cin(); c++) {
                for (int place = 0; place < 4; place++) {
                    out[i] += at[place] < 0 ? 0 : x[at[place] + c] * squares[square + c * 4 + place];
                }
            }
        }
        return out;
    }

    /** Where the pixels of the small image under the places of a 2x2 square begin, -1 in the padding. */
    private static void doubledInputs(Conv2dShape s, int pixel, int[] at) {
        int image = pixel / (s.outHeight() * s.outWidth());
        int height = s.height() / 2;
        int width = s.width() / 2;
        for (int place = 0; place < 4; place++) {
            int y = Math.floorDiv(pixel / s.outWidth() % s.outHeight() - 1, 2) + place / 2;
            int column = Math.floorDiv(pixel % s.outWidth() - 1, 2) + place % 2;
            at[place] = y < 0 || y >= height || column < 0 || column >= width ? -1
                    : ((image * height + y) * width + column) * s.cin();
        }
    }

    /** Which of the four pixels that repeat one it is. */
    private static int parity(Conv2dShape s, int pixel) {
        return pixel / s.outWidth() % 2 * 2 + pixel % s.outWidth() % 2;
    }

    /** [parity, cout, cin, 2, 2]. */
    private static float[] doubledWeights(Conv2dShape s, float[] weight, Precision precision) {
        float[] squares = new float[4 * s.cout() * s.cin() * 4];
        for (int i = 0; i < squares.length; i++) {
            int oddRow = i / (8 * s.cin() * s.cout());
            int oddColumn = i / (4 * s.cin() * s.cout()) % 2;
            for (int tap = 0; tap < 9; tap++) {
                // Pixels y + dy - 1 of the doubled image, for the three dy, are two of the small one.
                int row = (oddRow + tap / 3 - 1 + 2) / 2 - (oddRow + 1) / 2;
                int column = (oddColumn + tap % 3 - 1 + 2) / 2 - (oddColumn + 1) / 2;
                squares[i] += row == i / 2 % 2 && column == i % 2
                        ? weight(s, weight, i / (4 * s.cin()) % s.cout(), i / 4 % s.cin(), tap) : 0;
            }
        }
        return TestTensors.rounded(precision, squares);
    }

    private static float weight(Conv2dShape s, float[] weight, int o, int c, int tap) {
        return weight[(o * s.cin() + c) * s.kernel() * s.kernel() + tap];
    }

    /** Where the first channel of the input under each tap of the kernel is, or -1 in the padding. */
    private static void inputs(Conv2dShape s, int pixel, int[] at) {
        int image = pixel / (s.outHeight() * s.outWidth());
        for (int tap = 0; tap < at.length; tap++) {
            int y = pixel / s.outWidth() % s.outHeight() * s.stride() - s.padLow() + tap / s.kernel();
            int x = pixel % s.outWidth() * s.stride() - s.padLow() + tap % s.kernel();
            boolean padding = y < 0 || y >= s.height() || x < 0 || x >= s.width();
            at[tap] = padding ? -1 : ((image * s.height() + y) * s.width() + x) * s.cin();
        }
    }
}
