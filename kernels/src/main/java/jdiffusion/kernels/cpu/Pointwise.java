package jdiffusion.kernels.cpu;

import static jdiffusion.kernels.cpu.Simd.LANES;

import jdiffusion.kernels.Activation;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/**
 * Functions applied to runs of an array in place. An element's result does not depend on where in the run it stands:
 * the last, partial vector goes through the same code under a mask.
 */
public final class Pointwise {
    private Pointwise() {
    }

    /** values = act(values) for {@code n} elements from {@code at} on. */
    public static void activate(Activation activation, float[] values, int at, int n) {
        switch (activation) {
            case NONE -> { }
            case SILU -> silu(values, at, n);
            case GELU_TANH -> geluTanh(values, at, n);
            case GELU_ERF -> geluErf(values, at, n);
            case QUICK_GELU -> quickGelu(values, at, n);
        }
    }

    private static void silu(float[] values, int at, int n) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            VectorMath.silu(FloatVector.fromArray(Simd.F, values, at + i)).intoArray(values, at + i);
        }
        if (i < n) {
            VectorMask<Float> rest = Simd.F.indexInRange(i, n);
            VectorMath.silu(FloatVector.fromArray(Simd.F, values, at + i, rest)).intoArray(values, at + i, rest);
        }
    }

    private static void geluTanh(float[] values, int at, int n) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            VectorMath.geluTanh(FloatVector.fromArray(Simd.F, values, at + i)).intoArray(values, at + i);
        }
        if (i < n) {
            VectorMask<Float> rest = Simd.F.indexInRange(i, n);
            VectorMath.geluTanh(FloatVector.fromArray(Simd.F, values, at + i, rest)).intoArray(values, at + i, rest);
        }
    }

    private static void geluErf(float[] values, int at, int n) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            VectorMath.geluErf(FloatVector.fromArray(Simd.F, values, at + i)).intoArray(values, at + i);
        }
        if (i < n) {
            VectorMask<Float> rest = Simd.F.indexInRange(i, n);
            VectorMath.geluErf(FloatVector.fromArray(Simd.F, values, at + i, rest)).intoArray(values, at + i, rest);
        }
    }

    private static void quickGelu(float[] values, int at, int n) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            VectorMath.quickGelu(FloatVector.fromArray(Simd.F, values, at + i)).intoArray(values, at + i);
        }
        if (i < n) {
            VectorMask<Float> rest = Simd.F.indexInRange(i, n);
            VectorMath.quickGelu(FloatVector.fromArray(Simd.F, values, at + i, rest)).intoArray(values, at + i, rest);
        }
    }
}
