package jdiffusion.model.sampling;

/**
 * The float32 Box-Muller transform of torch's AVX2 code ({@code NormalFill16} in
 * {@code aten/src/ATen/native/cpu/DistributionTemplates.h}), operation by operation.
 *
 * <p>Logarithm, sine and cosine are the cephes polynomials of {@code avx_mathfun.h}. That source writes separate
 * products and sums, but torch is compiled with contraction: a product whose only use is a sum becomes one fused
 * operation. The calls of {@link Math#fma} below stand exactly where the compiled code has one; a plain {@code *}
 * or {@code +} is rounded on its own. Java rounds both in the same way everywhere, so the numbers do not depend on
 * the machine.
 */
final class BoxMuller {
    /** Numbers in a block: eight pairs. */
    static final int BLOCK = 16;

    private static final int HALF = BLOCK / 2;
    private static final float TWO_PI = (float) (2 * Math.PI);
    private static final float SQRT_HALF = 0.707106781186547524f;
    private static final float FOUR_OVER_PI = 1.27323954473516f;

    private BoxMuller() {
    }

    /** Turns 16 uniform numbers in [0, 1) into 16 standard normals; number i and number i + 8 are a pair. */
    static void transform(float[] block) {
        for (int i = 0; i < HALF; i++) {
            float radius = (float) Math.sqrt(-2 * log(1 - block[i]));
            float angle = TWO_PI * block[i + HALF];

            // Split the angle into an even number of eighths of a turn and a rest in -pi/4..pi/4.
            int octant = (int) (angle * FOUR_OVER_PI) + 1 & ~1;
            float rest = Math.fma(octant, -0.78515625f, angle);
            rest = Math.fma(octant, -2.4187564849853515625e-4f, rest);
            rest = Math.fma(octant, -3.77489497744594108e-8f, rest);
            float square = rest * rest;
            float cos = cosPolynomial(square);
            float sin = sinPolynomial(rest, square);

            boolean swap = (octant & 2) != 0;
            float cosine = flipIf(octant + 2 & 4, swap ? sin : cos);
            float sine = flipIf(octant & 4, swap ? cos : sin);
            // Torch scales by 1 and adds the mean 0, which turns -0 into +0.
            block[i] = radius * cosine + 0f;
            block[i + HALF] = radius * sine + 0f;
        }
    }

    /** Natural logarithm for 2^-24 <= u <= 1, all that 1 - uniform can be. */
    private static float log(float u) {
        int bits = Float.floatToRawIntBits(u);
        float exponent = (bits >>> 23) - 126;
        float x = Float.intBitsToFloat(bits & 0x007fffff | 0x3f000000);
        boolean low = x < SQRT_HALF;
        exponent -= low ? 1f : 0f;
        x = x - 1f + (low ? x : 0f);

        float square = x * x;
        float y = 7.0376836292e-2f;
        y = Math.fma(y, x, -1.1514610310e-1f);
        y = Math.fma(y, x, 1.1676998740e-1f);
        y = Math.fma(y, x, -1.2420140846e-1f);
        y = Math.fma(y, x, 1.4249322787e-1f);
        y = Math.fma(y, x, -1.6668057665e-1f);
        y = Math.fma(y, x, 2.0000714765e-1f);
        y = Math.fma(y, x, -2.4999993993e-1f);
        y = Math.fma(y, x, 3.3333331174e-1f);
        y = Math.fma(y * x, square, exponent * -2.12194440e-4f);
        y = Math.fma(-0.5f, square, y);
        return Math.fma(exponent, 0.693359375f, x + y);
    }

    private static float cosPolynomial(float square) {
        float y = 2.443315711809948e-5f;
        y = Math.fma(y, square, -1.388731625493765e-3f);
        y = Math.fma(y, square, 4.166664568298827e-2f);
        return Math.fma(y * square, square, -0.5f * square) + 1f;
    }

    private static float sinPolynomial(float x, float square) {
        float y = -1.9515295891e-4f;
        y = Math.fma(y, square, 8.3321608736e-3f);
        y = Math.fma(y, square, -1.6666654611e-1f);
        return Math.fma(y * square, x, x);
    }

    /** Negates {@code x} when {@code bit} is 4 and leaves it when it is 0; without a branch, since signs are random. */
    private static float flipIf(int bit, float x) {
        return Float.intBitsToFloat(Float.floatToRawIntBits(x) ^ bit << 29);
    }
}
