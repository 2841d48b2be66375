package jdiffusion.model.guidance;

import jdiffusion.kernels.Backend;
import jdiffusion.tensor.Tensor;

/** Products of two predictions of one image, summed on the host in double precision and in order. */
final class Sums {
    private final float[] a;
    private final float[] b;
    private double aa;
    private double ab;
    private double bb;

    /** @param size elements of one image's prediction */
    Sums(int size) {
        this.a = new float[size];
        this.b = new float[size];
    }

    /** Takes the sums of two predictions. */
    Sums of(Backend backend, Tensor first, Tensor second) {
        backend.download(first, a);
        backend.download(second, b);
        aa = 0;
        ab = 0;
        bb = 0;
        for (int i = 0; i < a.length; i++) {
            aa += (double) a[i] * a[i];
            ab += (double) a[i] * b[i];
            bb += (double) b[i] * b[i];
        }
        return this;
    }

    double aa() {
        return aa;
    }

    double ab() {
        return ab;
    }

    double bb() {
        return bb;
    }

    /** The length of the difference. */
    double distance() {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            double d = (double) a[i] - b[i];
            sum += d * d;
        }
        return Math.sqrt(sum);
    }

    /** Elements of one image's prediction. */
    static int size(int... dims) {
        int size = 1;
        for (int i = 1; i < dims.length; i++) {
            size = Math.multiplyExact(size, dims[i]);
        }
        return size;
    }
}
