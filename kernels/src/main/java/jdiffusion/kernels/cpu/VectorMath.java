package jdiffusion.kernels.cpu;

import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.GT;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LT;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/**
 * Elementary functions on vectors of {@link Simd#F}, within 2 units in the last place. Each lane's result depends on
 * that lane alone. The coefficients are near-minimax fits by reweighted least squares, in the error that matters to
 * the result.
 *
 * <p>Each function is one method, loop included, written out: the compiler has a bound for the size of what it puts
 * together, and beyond it calls our methods instead of inlining them, and boxes their vectors, for ever. A caller of
 * several activations, as {@link Pointwise#activate}, reaches it.
 */
public final class VectorMath {
    static final float LOG2_E = 1.442695f;
    /** ln 2 in two parts; the high one has few enough bits that its product with any exponent is exact. */
    static final float LN2_HIGH = 0x1.62e4p-1f;
    static final float LN2_LOW = (float) (Math.log(2) - 0x1.62e4p-1);
    /** 1.5 * 2^23: adding it leaves the nearest integer in the lowest bits. */
    static final float TO_INTEGER = 0x1.8p23f;
    static final int TO_INTEGER_BITS = Float.floatToRawIntBits(TO_INTEGER);
    /** Of a float32's exponent, and the bits behind it. */
    private static final int BIAS = 127;
    private static final int MANTISSA = 23;
    static final float ROOT_HALF = 0.70710678f;
    static final float GELU_TANH_SCALE = (float) (-2 * Math.sqrt(2 / Math.PI));

    private VectorMath() {
    }

    /**
     * The inner loop of a softmax, for {@link Simd#LANES} queries side by side: every {@code step}th run of scores from
     * {@code at} to {@code end} becomes e^(score - largest), and is added to the sums. With e^x for x up to 0, in half
     * the steps of one for all x: results under the normal range are 0, and NaN stays NaN.
     *
     * @param state   the largest scores from {@code largest} on, the sums from {@code sums} on
     */
    public static void addExponentials(float[] scores, int at, int end, int step, float[] state, int largest,
                                       int sums) {
        FloatVector most = FloatVector.fromArray(Simd.F, state, largest);
        FloatVector sum = FloatVector.fromArray(Simd.F, state, sums);
        for (int i = at; i < end; i += step) {
            FloatVector x = FloatVector.fromArray(Simd.F, scores, i).sub(most);
            FloatVector shifted = x.mul(LOG2_E).add(TO_INTEGER);
            FloatVector n = shifted.sub(TO_INTEGER);
            FloatVector r = n.fma(FloatVector.broadcast(Simd.F, -LN2_HIGH), x);
            r = n.fma(FloatVector.broadcast(Simd.F, -LN2_LOW), r);
            FloatVector q = r.mul(0.0013813878f).add(0.008369064f);
            q = q.fma(r, FloatVector.broadcast(Simd.F, 0.041668423f));
            q = q.fma(r, FloatVector.broadcast(Simd.F, 0.16666518f));
            q = q.fma(r, FloatVector.broadcast(Simd.F, 0.49999994f));
            // The lowest bits of shifted are n, and the others leave at the top; from -87 on, 2^n is a normal number.
            FloatVector power = shifted.reinterpretAsInts().add(BIAS).lanewise(LSHL, MANTISSA).reinterpretAsFloats();
            FloatVector p = q.mul(r).fma(r, r).add(1f).mul(power).blend(0f, x.compare(LT, -87f));
            p.intoArray(scores, i);
            sum = p.add(sum);
        }
        sum.intoArray(state, sums);
    }

    /**
     * x / (1 + e^(factor x)) for the {@code width} values from {@code at} on: SiLU with the factor -1, and what
     * OpenAI's CLIP has for GELU with -1.702.
     *
     * @return how many values are in whole vectors, which are done
     */
    static int sigmoidProduct(float[] values, int at, int width, float factor) {
        int i = 0;
        for (; i <= width - Simd.LANES; i += Simd.LANES) {
            FloatVector x = FloatVector.fromArray(Simd.F, values, at + i);
            FloatVector s = x.mul(factor);
            // e^s: 0 far below, infinity far above whatever s; a NaN fails both comparisons and stays.
            s = s.blend(-104f, s.compare(LT, -104f));
            s = s.blend(89f, s.compare(GT, 89f));
            FloatVector shifted = s.mul(LOG2_E).add(TO_INTEGER);
            FloatVector n = shifted.sub(TO_INTEGER);
            FloatVector r = n.fma(FloatVector.broadcast(Simd.F, -LN2_HIGH), s);
            r = n.fma(FloatVector.broadcast(Simd.F, -LN2_LOW), r);
            FloatVector q = r.mul(0.0013813878f).add(0.008369064f);
            q = q.fma(r, FloatVector.broadcast(Simd.F, 0.041668423f));
            q = q.fma(r, FloatVector.broadcast(Simd.F, 0.16666518f));
            q = q.fma(r, FloatVector.broadcast(Simd.F, 0.49999994f));
            FloatVector p = q.mul(r).fma(r, r).add(1f);
            // 2^n as two factors, since n reaches past the exponents of normal numbers at both ends.
            IntVector exponent = shifted.reinterpretAsInts().sub(TO_INTEGER_BITS);
            IntVector half = exponent.lanewise(ASHR, 1);
            p = p.mul(half.add(BIAS).lanewise(LSHL, MANTISSA).reinterpretAsFloats());
            p = p.mul(exponent.sub(half).add(BIAS).lanewise(LSHL, MANTISSA).reinterpretAsFloats());
            x.div(p.add(1f)).intoArray(values, at + i);
        }
        return i;
    }

    /**
     * For the {@code width} values from {@code at} on: x/2 (1 + tanh(s)) with s = sqrt(2/pi) (x + 0.044715 x^3), as
     * x / (1 + e^-2s), which is the same and keeps its relative accuracy where tanh is near -1.
     *
     * @return how many values are in whole vectors, which are done
     */
    static int geluTanh(float[] values, int at, int width) {
        int i = 0;
        for (; i <= width - Simd.LANES; i += Simd.LANES) {
            FloatVector x = FloatVector.fromArray(Simd.F, values, at + i);
            FloatVector s = x.mul(x).mul(0.044715f).add(1f).mul(x).mul(GELU_TANH_SCALE);
            // e^s: 0 far below, infinity far above whatever s; a NaN fails both comparisons and stays.
            s = s.blend(-104f, s.compare(LT, -104f));
            s = s.blend(89f, s.compare(GT, 89f));
            FloatVector shifted = s.mul(LOG2_E).add(TO_INTEGER);
            FloatVector n = shifted.sub(TO_INTEGER);
            FloatVector r = n.fma(FloatVector.broadcast(Simd.F, -LN2_HIGH), s);
            r = n.fma(FloatVector.broadcast(Simd.F, -LN2_LOW), r);
            FloatVector q = r.mul(0.0013813878f).add(0.008369064f);
            q = q.fma(r, FloatVector.broadcast(Simd.F, 0.041668423f));
            q = q.fma(r, FloatVector.broadcast(Simd.F, 0.16666518f));
            q = q.fma(r, FloatVector.broadcast(Simd.F, 0.49999994f));
            FloatVector p = q.mul(r).fma(r, r).add(1f);
            // 2^n as two factors, since n reaches past the exponents of normal numbers at both ends.
            IntVector exponent = shifted.reinterpretAsInts().sub(TO_INTEGER_BITS);
            IntVector half = exponent.lanewise(ASHR, 1);
            p = p.mul(half.add(BIAS).lanewise(LSHL, MANTISSA).reinterpretAsFloats());
            p = p.mul(exponent.sub(half).add(BIAS).lanewise(LSHL, MANTISSA).reinterpretAsFloats());
            x.div(p.add(1f)).intoArray(values, at + i);
        }
        return i;
    }

    /**
     * For the {@code width} values from {@code at} on: x/2 (1 + erf(x / sqrt 2)), with the error function as an odd
     * polynomial near 0, elsewhere as 1 - e^(polynomial) with x's sign.
     *
     * @return how many values are in whole vectors, which are done
     */
    static int geluErf(float[] values, int at, int width) {
        int i = 0;
        for (; i <= width - Simd.LANES; i += Simd.LANES) {
            FloatVector value = FloatVector.fromArray(Simd.F, values, at + i);
            FloatVector x = value.mul(ROOT_HALF);
            FloatVector square = x.mul(x);
            FloatVector near = square.mul(8.185186e-05f).add(-0.0008097731f);
            near = near.fma(square, FloatVector.broadcast(Simd.F, 0.005196955f));
            near = near.fma(square, FloatVector.broadcast(Simd.F, -0.026857708f));
            near = near.fma(square, FloatVector.broadcast(Simd.F, 0.112836644f));
            near = near.fma(square, FloatVector.broadcast(Simd.F, -0.37612632f));
            near = near.fma(square, FloatVector.broadcast(Simd.F, 0.12837917f));
            near = near.fma(x, x);

            FloatVector t = x.abs();
            // erf(4) is 1 in float32, and the fit ends there.
            t = t.blend(4f, t.compare(GT, 4f));
            FloatVector far = t.mul(0.0001982207f).add(-0.0030655f);
            far = far.fma(t, FloatVector.broadcast(Simd.F, 0.022315249f));
            far = far.fma(t, FloatVector.broadcast(Simd.F, -0.10411374f));
            far = far.fma(t, FloatVector.broadcast(Simd.F, -0.636976f));
            far = far.fma(t, FloatVector.broadcast(Simd.F, -1.1277972f));
            far = far.fma(t, FloatVector.broadcast(Simd.F, -0.00016643907f));

            // e^far; far is between -16 and 0, so 2^n is one factor.
            FloatVector shifted = far.mul(LOG2_E).add(TO_INTEGER);
            FloatVector n = shifted.sub(TO_INTEGER);
            FloatVector r = n.fma(FloatVector.broadcast(Simd.F, -LN2_HIGH), far);
            r = n.fma(FloatVector.broadcast(Simd.F, -LN2_LOW), r);
            FloatVector q = r.mul(0.0013813878f).add(0.008369064f);
            q = q.fma(r, FloatVector.broadcast(Simd.F, 0.041668423f));
            q = q.fma(r, FloatVector.broadcast(Simd.F, 0.16666518f));
            q = q.fma(r, FloatVector.broadcast(Simd.F, 0.49999994f));
            FloatVector power = shifted.reinterpretAsInts().add(BIAS).lanewise(LSHL, MANTISSA).reinterpretAsFloats();
            far = FloatVector.broadcast(Simd.F, 1f).sub(q.mul(r).fma(r, r).add(1f).mul(power));

            FloatVector erf = near.blend(far.blend(far.neg(), x.compare(LT, 0f)), x.abs().compare(GT, 0.93f));
            value.mul(0.5f).mul(erf.add(1f)).intoArray(values, at + i);
        }
        return i;
    }
}
