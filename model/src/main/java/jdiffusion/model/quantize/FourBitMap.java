package jdiffusion.model.quantize;

import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;
import jdiffusion.tensor.Tensor;

/**
 * The values that codes stand for, and the code of the value nearest to a number: the first of the map where two are
 * equally near in float32, as bitsandbytes' reference does. The maps are those of bitsandbytes.
 */
final class FourBitMap {
    private static final float[] NF4_VALUES = {-1, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f,
        -0.28444138169288635f, -0.18477343022823334f, -0.09105003625154495f, 0, 0.07958029955625534f,
        0.16093020141124725f, 0.24611230194568634f, 0.33791524171829224f, 0.44070982933044434f, 0.5626170039176941f,
        0.7229568362236023f, 1};
    /** Sign, two bits of exponent, one of mantissa, as fractions of the largest. */
    private static final float[] FP4_VALUES = {0, 0.0052083334885537624f, 0.6666666865348816f, 1,
        0.3333333432674408f, 0.5f, 0.1666666716337204f, 0.25f, 0, -0.0052083334885537624f, -0.6666666865348816f, -1,
        -0.3333333432674408f, -0.5f, -0.1666666716337204f, -0.25f};
    /** Steps of the look-up table over -1 to 1: so fine that one holds the borders of at most two neighbours. */
    private static final int STEPS = 1024;

    static final FourBitMap NF4 = new FourBitMap(NF4_VALUES);
    static final FourBitMap FP4 = new FourBitMap(FP4_VALUES);

    private final float[] values;
    /** Codes by value; equal values keep the first code alone. */
    private final int[] sorted;
    /** The largest number whose code is sorted[i]. */
    private final float[] borders;
    /** Place in {@code sorted} of the least number in each step. */
    private final byte[] first = new byte[STEPS + 1];

    FourBitMap(float[] values) {
        this.values = values;
        this.sorted = IntStream.range(0, values.length).boxed()
                .filter(i -> IntStream.range(0, i).noneMatch(j -> values[j] == values[i]))
                .sorted(Comparator.comparingDouble(i -> values[i])).mapToInt(Integer::intValue).toArray();
        this.borders = new float[sorted.length];
        borders[sorted.length - 1] = Float.POSITIVE_INFINITY;
        for (int i = 0; i < sorted.length - 1; i++) {
            borders[i] = border(i);
        }
        int at = 0;
        for (int step = 0; step <= STEPS; step++) {
            while (borders[at] < -1 + step * (2f / STEPS)) {
                at++;
            }
            first[step] = (byte) at;
        }
    }

    /** By bisection: nothing but the comparison itself says where float32 rounds to which side. */
    private float border(int i) {
        float low = values[sorted[i]];
        float high = values[sorted[i + 1]];
        while (Math.nextUp(low) < high) {
            float middle = low + (high - low) / 2;
            middle = middle <= low || middle >= high ? Math.nextUp(low) : middle;
            if (nearest(middle, sorted[i], sorted[i + 1]) == sorted[i]) {
                low = middle;
            } else {
                high = middle;
            }
        }
        return low;
    }

    private int nearest(float x, int a, int b) {
        float toA = Math.abs(x - values[a]);
        float toB = Math.abs(x - values[b]);
        return toA < toB || toA == toB && a < b ? a : b;
    }

    /** The code for a number from -1 to 1. */
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
