package jdiffusion.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.SplittableRandom;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.FloatFormat;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;

/** Random operands in all the layouts that a kernel may meet, and the rule for how close a result must be. */
public final class Samples {
    /** Between the rows of a view; a kernel must neither read nor write it. */
    private static final float GAP = Float.NaN;

    private Samples() {
    }

    public static float[] normal(long seed, long n, double mean, double deviation) {
        SplittableRandom random = new SplittableRandom(seed);
        float[] values = new float[Math.toIntExact(n)];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) (mean + deviation * random.nextGaussian());
        }
        return values;
    }

    /** The values as columns of a wider tensor in native memory. */
    public static Tensor view(float[] values, int... dims) {
        Shape shape = Shape.of(dims);
        int[] wide = dims.clone();
        wide[dims.length - 1] += 5;
        Shape around = Shape.of(wide);
        MemorySegment memory = Arena.ofAuto().allocate(around.size() * Float.BYTES, 64);
        for (long i = 0; i < around.size(); i++) {
            memory.setAtIndex(ValueLayout.JAVA_FLOAT, i, GAP);
        }
        Tensor view = Tensor.of(memory, DType.F32, around).columns(2, 2 + shape.cols());
        view.copyFrom(values);
        return view;
    }

    /** The values rounded to a storage type. */
    public static Tensor stored(DType type, float[] values, int... dims) {
        MemorySegment memory = Arena.ofAuto().allocate((long) values.length * type.bytes(), 8);
        for (int i = 0; i < values.length; i++) {
            switch (type) {
                case F32 -> memory.setAtIndex(ValueLayout.JAVA_FLOAT, i, values[i]);
                case BF16 -> memory.setAtIndex(ValueLayout.JAVA_SHORT, i, FloatFormat.floatToBf16(values[i]));
                case F16 -> memory.setAtIndex(ValueLayout.JAVA_SHORT, i, FloatFormat.floatToF16(values[i]));
                case F8_E4M3 -> memory.set(ValueLayout.JAVA_BYTE, i, FloatFormat.floatToE4m3(values[i]));
                case F8_E5M2 -> memory.set(ValueLayout.JAVA_BYTE, i, FloatFormat.floatToE5m2(values[i]));
                default -> throw new IllegalArgumentException("no sample of " + type);
            }
        }
        return Tensor.of(memory, type, Shape.of(dims));
    }

    /** The values as the type stores them, widened again. */
    public static float[] rounded(DType type, float[] values) {
        return stored(type, values, values.length).toArray();
    }

    /** The values stored as columns of a wider tensor, which has {@code gap} more columns on either side. */
    public static Tensor view(DType type, int gap, float[] values, int... dims) {
        Shape shape = Shape.of(dims);
        int[] wide = dims.clone();
        int stride = shape.cols() + 2 * gap;
        wide[dims.length - 1] = stride;
        float[] all = new float[Math.toIntExact(Shape.of(wide).size())];
        Arrays.fill(all, GAP);
        for (int r = 0; r < shape.rows(); r++) {
            System.arraycopy(values, r * shape.cols(), all, r * stride + gap, shape.cols());
        }
        return stored(type, all, wide).columns(gap, gap + shape.cols());
    }

    public static Tensor ids(int... ids) {
        return Tensor.of(MemorySegment.ofArray(ids), DType.I32, Shape.of(ids.length));
    }

    /** What lies between the rows of a {@link #view} is as it was. */
    public static void assertGapsUntouched(Tensor view) {
        int gap = view.rowStride() - view.cols();
        for (int r = 0; gap > 0 && r < view.rows() - 1; r++) {
            long end = view.rowOffset(r) + (long) view.cols() * view.type().bytes();
            assertThat(Tensor.of(view.data().asSlice(end), view.type(), Shape.of(gap)).toArray())
                    .as("after row " + r).containsOnly(GAP);
        }
    }

    /** The largest error is at most twice that of a plain float32 computation, or one float32 rounding. */
    public static void assertAsGoodAsNaive(float[] actual, float[] naive, double[] exact) {
        assertThat(actual).hasSameSizeAs(exact);
        double size = 0;
        double naiveError = 0;
        for (int i = 0; i < exact.length; i++) {
            size = Math.max(size, Math.abs(exact[i]));
            naiveError = Math.max(naiveError, Math.abs(naive[i] - exact[i]));
        }
        double allowed = 2 * naiveError + size * 0x1p-23;
        for (int i = 0; i < exact.length; i++) {
            if (!(Math.abs(actual[i] - exact[i]) <= allowed)) {
                assertThat(actual[i]).as("element %d, error allowed %s", i, allowed).isEqualTo((float) exact[i]);
            }
        }
    }
}
