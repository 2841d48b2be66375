package jdiffusion.kernels.cpu;

import jdiffusion.tensor.Tensor;

/**
 * Runs of an activation's elements, float32 or bfloat16, to and from float32 arrays, counted in order as if rows had
 * no gaps. Kernels compute on arrays: bulk copies are fast, and C2 vectorises plain loops over them.
 */
public final class Elements {
    private Elements() {
    }

    /** {@code n} elements from element {@code first} on, into {@code to}. */
    public static void read(Tensor from, long first, int n, float[] to, int at) {
        long bytes = from.type().bytes();
        if (from.isContiguous()) {
            Widen.run(from.data(), from.type(), first * bytes, to, at, n);
            return;
        }
        int cols = from.cols();
        for (int done = 0; done < n; ) {
            int row = (int) ((first + done) / cols);
            int col = (int) ((first + done) % cols);
            int run = Math.min(cols - col, n - done);
            Widen.run(from.data(), from.type(), from.rowOffset(row) + col * bytes, to, at + done, run);
            done += run;
        }
    }

    /** The other way: {@code n} values from {@code from}, rounded to nearest, to element {@code first} on. */
    public static void write(float[] from, int at, Tensor to, long first, int n) {
        long bytes = to.type().bytes();
        if (to.isContiguous()) {
            Narrow.run(from, at, to.data(), to.type(), first * bytes, n);
            return;
        }
        int cols = to.cols();
        for (int done = 0; done < n; ) {
            int row = (int) ((first + done) / cols);
            int col = (int) ((first + done) % cols);
            int run = Math.min(cols - col, n - done);
            Narrow.run(from, at + done, to.data(), to.type(), to.rowOffset(row) + col * bytes, run);
            done += run;
        }
    }
}
