package jdiffusion.kernels.cpu;

import static jdiffusion.kernels.cpu.Simd.LANES;
import static jdk.incubator.vector.VectorOperators.LT;

import jdiffusion.kernels.Activation;
import jdiffusion.kernels.cpu.WarmUp.Group;
import jdk.incubator.vector.FloatVector;

/**
 * Functions applied to runs of an array in place. An element's result does not depend on where in the run it stands:
 * vectors and single numbers go through the same steps.
 */
public final class Pointwise {
    private Pointwise() {
    }

    /** values = act(values) for {@code n} elements from {@code at} on. */
    public static void activate(Activation activation, float[] values, int at, int n) {
        switch (activation) {
            case NONE -> { }
            case SILU -> {
                for (int i = Group.SILU.ready() ? siluVectors(values, at, n) : 0; i < n; i++) {
                    values[at + i] = FloatMath.silu(values[at + i]);
                }
            }
            case GELU_TANH -> {
                for (int i = Group.GELU_TANH.ready() ? geluTanhVectors(values, at, n) : 0; i < n; i++) {
                    values[at + i] = FloatMath.geluTanh(values[at + i]);
                }
            }
            case GELU_ERF -> {
                for (int i = Group.GELU_ERF.ready() ? VectorMath.geluErf(values, at, n) : 0; i < n; i++) {
                    values[at + i] = FloatMath.geluErf(values[at + i]);
                }
            }
            case QUICK_GELU -> {
                for (int i = Group.QUICK_GELU.ready() ? quickGeluVectors(values, at, n) : 0; i < n; i++) {
                    values[at + i] = FloatMath.quickGelu(values[at + i]);
                }
            }
            case RELU -> {
                for (int i = Group.RELU.ready() ? reluVectors(values, at, n) : 0; i < n; i++) {
                    values[at + i] = FloatMath.relu(values[at + i]);
                }
            }
        }
    }

    // Each does the whole vectors of a run and returns how many elements that was.

    static int siluVectors(float[] values, int at, int n) {
        return VectorMath.sigmoidProduct(values, at, n, -1f);
    }

    static int geluTanhVectors(float[] values, int at, int n) {
        return VectorMath.geluTanh(values, at, n);
    }

    static int quickGeluVectors(float[] values, int at, int n) {
        return VectorMath.sigmoidProduct(values, at, n, -1.702f);
    }

    static int reluVectors(float[] values, int at, int n) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            FloatVector x = FloatVector.fromArray(Simd.F, values, at + i);
            // NaN stays NaN.
            x.blend(0f, x.compare(LT, 0f)).intoArray(values, at + i);
        }
        return i;
    }
}
