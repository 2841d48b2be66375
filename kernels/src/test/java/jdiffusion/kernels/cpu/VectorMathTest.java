package jdiffusion.kernels.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.function.DoubleUnaryOperator;
import java.util.function.UnaryOperator;
import jdiffusion.kernels.Activation;
import jdk.incubator.vector.FloatVector;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class VectorMathTest {
    private static final float INF = Float.POSITIVE_INFINITY;
    private static final Activation[] ACTIVATIONS = Activation.values();
    private static final int MOST_ROUNDS = 300;
    private static final float[] SPECIAL = {0f, -0f, INF, -INF, Float.NaN, Float.MIN_VALUE, -Float.MIN_VALUE,
        Float.MIN_NORMAL, Float.MAX_VALUE, -Float.MAX_VALUE, 1f, -1f, 88.7f, 88.73f, 89f, 128f, -87.3f, -87.4f,
        -103.9f, -104f, -104.1f, -1000f, 0.93f, -0.93f, 0.9300001f, 4f, -4f, 4.0001f, 1e-20f, -1e-20f};

    /** Of single numbers, as the next but one; {@link PlainLoopsTest} compares what is made of them on vectors. */
    @Test
    void expIsWithinTwoUlp() {
        check(x -> each(x, FloatMath::exp), Math::exp, 2, 0, 120);
    }

    @Test
    void expNotPositiveIsWithinTwoUlpWhereItIsNormal() {
        check(VectorMathTest::expNotPositive, x -> Math.exp(-Math.abs(x)), 2, 0x1p-125f, 120);
    }

    private static FloatVector expNotPositive(FloatVector x) {
        float[] values = x.abs().neg().toArray();
        VectorMath.addExponentials(values, 0, values.length, values.length, new float[2 * values.length], 0,
                values.length);
        return FloatVector.fromArray(Simd.F, values, 0);
    }

    /** Of single numbers; {@link PlainLoopsTest} compares GELU on vectors with GELU by it to the bit. */
    @Test
    void erfIsWithinTwoUlp() {
        check(x -> each(x, FloatMath::erf), MathReference::erf, 2, 0, 6);
    }

    private static FloatVector each(FloatVector x, UnaryOperator<Float> function) {
        float[] values = x.toArray();
        for (int i = 0; i < values.length; i++) {
            values[i] = function.apply(values[i]);
        }
        return FloatVector.fromArray(Simd.F, values, 0);
    }

    @ParameterizedTest
    @EnumSource
    void activationsFollowTheirFormulas(Activation activation) {
        // One part in 2^22 of |x| covers the rounding of the exponent's argument; torch's float32 does no better.
        SplittableRandom random = new SplittableRandom(5);
        float[] x = new float[1000];
        for (int i = 0; i < x.length; i++) {
            x[i] = (float) (random.nextGaussian() * 6);
        }
        float[] y = x.clone();
        Pointwise.activate(activation, y, 0, y.length);
        for (int i = 0; i < x.length; i++) {
            double want = MathReference.activate(activation, x[i]);
            assertThat(Math.abs(y[i] - want)).as("%s(%s) = %s, not %s", activation, x[i], y[i], want)
                    .isLessThanOrEqualTo(Math.abs(x[i]) * 0x1p-22);
        }
    }

    @ParameterizedTest
    @EnumSource
    void theResultDoesNotDependOnThePlaceInTheRun(Activation activation) {
        for (int n : new int[] {1, 3, 15, 16, 17, 37}) {
            float[] values = new float[n + 5];
            Arrays.fill(values, 7f);
            for (int i = 0; i < n; i++) {
                values[2 + i] = -0.37f;
            }
            Pointwise.activate(activation, values, 2, n);
            float one = values[2];
            for (int i = 0; i < n; i++) {
                assertThat(values[2 + i]).isEqualTo(one);
            }
            assertThat(values[1]).isEqualTo(7f);
            assertThat(values[2 + n]).isEqualTo(7f);
        }
    }

    @ParameterizedTest
    @EnumSource
    void activationsKeepZeroLargeAndNaN(Activation activation) {
        float[] values = {0f, 1e6f, INF, Float.NaN, -50f};
        Pointwise.activate(activation, values, 0, values.length);
        assertThat(values[0]).isZero();
        assertThat(values[1]).isEqualTo(1e6f);
        assertThat(values[2]).isEqualTo(INF);
        assertThat(values[3]).isNaN();
        assertThat(values[4]).isCloseTo(activation == Activation.NONE ? -50f : 0f,
                offset(1e-15f));
    }

    /**
     * A method that uses all of them is more than the compiler puts together, and vectors were boxed from then on.
     * Until all is compiled they are boxed, too.
     */
    @Test
    void allActivationsTogetherAllocateNothing() {
        assumeTrue(Simd.F.vectorBitSize() <= FloatVector.SPECIES_PREFERRED.vectorBitSize(),
                "the CPU has no such vectors");
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        float[] values = new float[509];
        long least = Long.MAX_VALUE;
        for (int round = 0; round < MOST_ROUNDS && least > 0; round++) {
            long before = threads.getCurrentThreadAllocatedBytes();
            for (int i = 0; i < 2000; i++) {
                Arrays.fill(values, i % 7 - 3.5f);
                for (Activation activation : ACTIVATIONS) {
                    Pointwise.activate(activation, values, 0, values.length);
                }
            }
            least = Math.min(least, (threads.getCurrentThreadAllocatedBytes() - before) / 2000);
        }
        assertThat(least).as("bytes for all activations of 509 numbers").isZero();
    }

    private static void check(UnaryOperator<FloatVector> ours, DoubleUnaryOperator exact, double ulps,
                              float absolute, double range) {
        SplittableRandom random = new SplittableRandom(3);
        float[] x = new float[20_000 / Simd.LANES * Simd.LANES];
        for (int i = 0; i < x.length; i++) {
            x[i] = i < SPECIAL.length ? SPECIAL[i] : (float) ((random.nextDouble() * 2 - 1) * range
                    * Math.pow(2, -(i % 12)));
        }
        float[] y = new float[x.length];
        for (int i = 0; i < x.length; i += Simd.LANES) {
            ours.apply(FloatVector.fromArray(Simd.F, x, i)).intoArray(y, i);
        }
        for (int i = 0; i < x.length; i++) {
            double want = exact.applyAsDouble(x[i]);
            if (want != want || Float.isInfinite((float) want)) {
                assertThat(y[i]).as("at %s", x[i]).isEqualTo(Float.valueOf((float) want));
            } else {
                assertThat(Math.abs(y[i] - want)).as("at %s: %s, not %s", x[i], y[i], want)
                        .isLessThanOrEqualTo(ulps * Math.ulp((float) want) + absolute);
            }
        }
    }
}
