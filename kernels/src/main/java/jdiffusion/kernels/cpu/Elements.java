package jdiffusion.kernels.cpu;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdiffusion.tensor.Tensor;

/**
 * Runs of a float32 tensor's elements to and from arrays, counted in order as if rows had no gaps. Kernels compute on
 * arrays: bulk copies are fast, and C2 vectorises plain loops over them.
 */
public final class Elements {
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private Elements() {
    }

    /** {@code n} elements from element {@code first} on, into {@code to}. */
    public static void read(Tensor from, long first, int n, float[] to, int at) {
        if (from.isContiguous()) {
            MemorySegment.copy(from.data(), FLOAT, first * Float.BYTES, to, at, n);
            return;
        }
        int cols = from.cols();
        for (int done = 0; done < n; ) {
            int row = (int) ((first + done) / cols);
            int col = (int) ((first + done) % cols);
            int run = Math.min(cols - col, n - done);
            MemorySegment.copy(from.data(), FLOAT, from.rowOffset(row) + (long) col * Float.BYTES, to, at + done, run);
            done += run;
        }
    }

    /** The other way: {@code n} values from {@code from} to element {@code first} on. */
    public static void write(float[] from, int at, Tensor to, long first, int n) {
        if (to.isContiguous()) {
            MemorySegment.copy(from, at, to.data(), FLOAT, first * Float.BYTES, n);
            return;
        }
        int cols = to.cols();
        for (int done = 0; done < n; ) {
            int row = (int) ((first + done) / cols);
            int col = (int) ((first + done) % cols);
            int run = Math.min(cols - col, n - done);
            MemorySegment.copy(from, at + done, to.data(), FLOAT, to.rowOffset(row) + (long) col * Float.BYTES, run);
            done += run;
        }
    }
}
