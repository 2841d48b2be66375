package jdiffusion.kernels.cpu;

/**
 * The functions of {@link VectorMath} for one number, step for step the same, so that both give the same bits: for
 * the ends of runs, and for the moments before the vector code is compiled.
 */
public final class FloatMath {
    private FloatMath() {
    }

    /** e^x: 0 far below, infinity far above, NaN for NaN; results under the normal range are right too. */
    public static float exp(float x) {
        float y = x < -104f ? -104f : x > 89f ? 89f : x;
        float shifted = y * VectorMath.LOG2_E + VectorMath.TO_INTEGER;
        float n = shifted - VectorMath.TO_INTEGER;
        float r = Math.fma(n, -VectorMath.LN2_HIGH, y);
        r = Math.fma(n, -VectorMath.LN2_LOW, r);
        int exponent = Float.floatToRawIntBits(shifted) - VectorMath.TO_INTEGER_BITS;
        int half = exponent >> 1;
        return expNearZero(r) * powerOfTwo(half) * powerOfTwo(exponent - half);
    }

    /** See {@link VectorMath#addExponentials}. */
    public static float expNotPositive(float x) {
        float shifted = x * VectorMath.LOG2_E + VectorMath.TO_INTEGER;
        float n = shifted - VectorMath.TO_INTEGER;
        float r = Math.fma(n, -VectorMath.LN2_HIGH, x);
        r = Math.fma(n, -VectorMath.LN2_LOW, r);
        float p = expNearZero(r) * powerOfTwo(Float.floatToRawIntBits(shifted));
        return x < -87f ? 0f : p;
    }

    private static float expNearZero(float r) {
        float q = r * 0.0013813878f + 0.008369064f;
        q = Math.fma(q, r, 0.041668423f);
        q = Math.fma(q, r, 0.16666518f);
        q = Math.fma(q, r, 0.49999994f);
        return Math.fma(q * r, r, r) + 1f;
    }

    private static float powerOfTwo(int n) {
        return Float.intBitsToFloat(n + 127 << 23);
    }

    /** See {@link VectorMath#sigmoidProduct}. */
    public static float silu(float x) {
        return x / (exp(-x) + 1f);
    }

    /** See {@link VectorMath#sigmoidProduct}. */
    public static float quickGelu(float x) {
        return x / (exp(x * -1.702f) + 1f);
    }

    /** 0 for x below 0, else x: NaN stays NaN. */
    public static float relu(float x) {
        return x < 0f ? 0f : x;
    }

    /** See {@link VectorMath#geluTanh}. */
    public static float geluTanh(float x) {
        float inner = (x * x * 0.044715f + 1f) * x;
        return x / (exp(inner * VectorMath.GELU_TANH_SCALE) + 1f);
    }

    /** See {@link VectorMath#geluErf}. */
    public static float geluErf(float x) {
        return x * 0.5f * (erf(x * VectorMath.ROOT_HALF) + 1f);
    }

    /** The error function, in the steps of {@link VectorMath#geluErf}. */
    public static float erf(float x) {
        if (Math.abs(x) > 0.93f) {
            float t = Math.abs(x) > 4f ? 4f : Math.abs(x);
            float far = t * 0.0001982207f + -0.0030655f;
            far = Math.fma(far, t, 0.022315249f);
            far = Math.fma(far, t, -0.10411374f);
            far = Math.fma(far, t, -0.636976f);
            far = Math.fma(far, t, -1.1277972f);
            far = Math.fma(far, t, -0.00016643907f);
            far = 1f - exp(far);
            return x < 0f ? -far : far;
        }
        float square = x * x;
        float near = square * 8.185186e-05f + -0.0008097731f;
        near = Math.fma(near, square, 0.005196955f);
        near = Math.fma(near, square, -0.026857708f);
        near = Math.fma(near, square, 0.112836644f);
        near = Math.fma(near, square, -0.37612632f);
        near = Math.fma(near, square, 0.12837917f);
        return Math.fma(near, x, x);
    }
}
