package jdiffusion.model.quantize;

import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;
import jdiffusion.tensor.Tensor;

/**
 * The values that codes stand for, and the code of the value nearest to a number from -1 to 1: of the lower one in the
 * very middle, and of equal values the last for numbers above them, as bitsandbytes' reference does. The maps are
 * bitsandbytes'.
 */
final class CodeMap {
    private static final float[] NF4_VALUES = {-1, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f,
        -0.28444138169288635f, -0.18477343022823334f, -0.09105003625154495f, 0, 0.07958029955625534f,
        0.16093020141124725f, 0.24611230194568634f, 0.33791524171829224f, 0.44070982933044434f, 0.5626170039176941f,
        0.7229568362236023f, 1};
    /** Sign, two bits of exponent, one of mantissa, as fractions of the largest. */
    private static final float[] FP4_VALUES = {0, 0.0052083334885537624f, 0.6666666865348816f, 1,
        0.3333333432674408f, 0.5f, 0.1666666716337204f, 0.25f, 0, -0.0052083334885537624f, -0.6666666865348816f, -1,
        -0.3333333432674408f, -0.5f, -0.1666666716337204f, -0.25f};
    private static final int EXPONENTS = 7;
    /** Steps of the look-up table over -1 to 1. */
    private static final int STEPS = 1024;

    static final CodeMap NF4 = new CodeMap(NF4_VALUES);
    static final CodeMap FP4 = new CodeMap(FP4_VALUES);
    /** 256 values for scales. */
    static final CodeMap SCALES = new CodeMap(scales());

    private final float[] values;
    /** Codes by value. */
    private final int[] sorted;
    /** The largest number whose code is sorted[i]. */
    private final float[] borders;
    /** Place in {@code sorted} of the least number in each step, or in the one below, as sums are rounded. */
    private final short[] first = new short[STEPS + 1];

    private CodeMap(float[] values) {
        this.values = values;
        this.sorted = IntStream.range(0, values.length).boxed().sorted(Comparator.comparingDouble(i -> values[i]))
                .mapToInt(Integer::intValue).toArray();
        this.borders = new float[sorted.length];
        for (int i = 0; i < sorted.length - 1; i++) {
            borders[i] = (values[sorted[i]] + values[sorted[i + 1]]) / 2;
        }
        borders[sorted.length - 1] = Float.POSITIVE_INFINITY;
        int at = 0;
        for (int step = 0; step <= STEPS; step++) {
            while (borders[at] < -1 + (step - 1) * (2f / STEPS)) {
                at++;
            }
            first[step] = (short) at;
        }
    }

    /**
     * bitsandbytes' dynamic map: zero, one, and for each power of ten down to 1e-6 the middles of 2^e equal parts of
     * 0.1 to 1 with both signs.
     */
    private static float[] scales() {
        float[] values = new float[256];
        int n = 0;
        for (int e = 0; e < EXPONENTS; e++) {
            int parts = 1 << e;
            float scale = (float) Math.pow(10, e - (EXPONENTS - 1));
            for (int i = 0; i < parts; i++) {
                float value = scale * ((boundary(i, parts) + boundary(i + 1, parts)) / 2);
                values[n++] = value;
                values[n++] = -value;
            }
        }
        values[n++] = 0;
        values[n] = 1;
        Arrays.sort(values);
        return values;
    }

    /** Point i of {@code parts} equal steps from 0.1 to 1, from the nearer end and rounded once, as torch.linspace. */
    private static float boundary(int i, int parts) {
        float step = (1 - 0.1f) / parts;
        return i < (parts + 1) / 2 ? Math.fma(step, i, 0.1f) : Math.fma(-step, parts - i, 1);
    }

    int code(float x) {
        int at = first[(int) ((x + 1) * (STEPS / 2))];
        while (x > borders[at]) {
            at++;
        }
        return sorted[at];
    }

    Tensor tensor() {
        return Tensor.of(values.clone(), values.length);
    }

    /** nf4 or fp4. */
    static String kind(Tensor map) {
        return Arrays.equals(map.toArray(), FP4_VALUES) ? "fp4" : "nf4";
    }
}
