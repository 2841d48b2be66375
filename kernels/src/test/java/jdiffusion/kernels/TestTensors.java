package jdiffusion.kernels;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.FloatFormat;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;

/** Random tensors of any stored type, with or without gaps between rows. */
public final class TestTensors {
    /** Those of the CPU backend: float16 is for devices with tensor cores. */
    public static final List<Precision> CPU_PRECISIONS = List.of(Precision.F32, Precision.BF16);

    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final float GAP = 12345f;

    private TestTensors() {
    }

    public static float[] gaussian(long seed, int n, double scale) {
        SplittableRandom random = new SplittableRandom(seed);
        float[] values = new float[n];
        for (int i = 0; i < n; i++) {
            values[i] = (float) (random.nextGaussian() * scale);
        }
        return values;
    }

    /** Random values stored as {@code type}. */
    public static Tensor random(long seed, DType type, double scale, int... dims) {
        Shape shape = Shape.of(dims);
        float[] values = gaussian(seed, (int) shape.size(), scale);
        if (type == DType.F32) {
            return Tensor.of(values, dims);
        }
        MemorySegment data = MemorySegment.ofArray(new byte[values.length * type.bytes()]);
        for (int i = 0; i < values.length; i++) {
            switch (type) {
                case BF16 -> data.set(SHORT, 2L * i, FloatFormat.floatToBf16(values[i]));
                case F16 -> data.set(SHORT, 2L * i, FloatFormat.floatToF16(values[i]));
                case F8_E4M3 -> data.set(ValueLayout.JAVA_BYTE, i, FloatFormat.floatToE4m3(values[i]));
                case F8_E5M2 -> data.set(ValueLayout.JAVA_BYTE, i, FloatFormat.floatToE5m2(values[i]));
                default -> throw new IllegalArgumentException(type.toString());
            }
        }
        return Tensor.of(data, type, shape);
    }

    /** A float32 tensor that is the columns from {@code before} on of one that is {@code before + after} wider. */
    public static Tensor spread(float[] values, int before, int after, int... dims) {
        int[] wide = dims.clone();
        wide[wide.length - 1] += before + after;
        float[] all = new float[(int) Shape.of(wide).size()];
        Arrays.fill(all, GAP);
        Tensor view = Tensor.of(all, wide).columns(before, before + dims[dims.length - 1]);
        view.copyFrom(values);
        return view;
    }

    /** The values of a spread tensor's backing array that are not its own must be what they were. */
    public static boolean gapsUntouched(Tensor spread, int after) {
        for (int r = 0; r < spread.rows() - 1; r++) {
            for (int c = spread.cols(); c < spread.rowStride(); c++) {
                if (spread.get(r, c) != GAP) {
                    return false;
                }
            }
        }
        for (int c = 0; c < after; c++) {
            if (spread.get(spread.rows() - 1, spread.cols() + c) != GAP) {
                return false;
            }
        }
        return true;
    }

    /** Every value rounded as a product's input is. */
    public static float[] rounded(Precision precision, float[] values) {
        float[] rounded = values.clone();
        if (precision == Precision.BF16) {
            for (int i = 0; i < rounded.length; i++) {
                rounded[i] = FloatFormat.bf16ToFloat(FloatFormat.floatToBf16(rounded[i]));
            }
        }
        return rounded;
    }
}
