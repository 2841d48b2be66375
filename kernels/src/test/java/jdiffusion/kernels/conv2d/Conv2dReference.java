package jdiffusion.kernels.conv2d;

/** Convolution by its definition: in double as the truth, and in float32 as the measure of a fair error. */
final class Conv2dReference {
    private Conv2dReference() {
    }

    /** x [batch, h, w, cin], weight [cout, cin, kernel, kernel], bias [cout] or null, old [batch, oh, ow, cout]. */
    static double[] exact(Conv2dShape s, float[] x, float[] weight, float[] bias, float[] old) {
        double[] out = new double[s.batch() * s.outHeight() * s.outWidth() * s.cout()];
        for (int i = 0; i < out.length; i++) {
            int o = i % s.cout();
            double sum = bias == null ? 0 : bias[o];
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

    static float[] naive(Conv2dShape s, float[] x, float[] weight, float[] bias, float[] old) {
        float[] out = new float[s.batch() * s.outHeight() * s.outWidth() * s.cout()];
        for (int i = 0; i < out.length; i++) {
            int o = i % s.cout();
            float sum = bias == null ? 0 : bias[o];
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
