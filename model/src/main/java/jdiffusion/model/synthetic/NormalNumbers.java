package jdiffusion.model.synthetic;

/**
 * Normal random numbers by place: number i of a stream depends on seed and i alone, so that any part of a tensor can
 * be made by any thread. The numbers are 4096 quantiles, picked by the bits of SplitMix64 (Steele et al., "Fast
 * Splittable Pseudorandom Number Generators", 2014).
 */
final class NormalNumbers {
    private static final long GAMMA = 0x9E3779B97F4A7C15L;
    private static final int BITS = 12;
    /** Numbers that one 64-bit draw gives. */
    private static final int LANES = 4;
    private static final float[] QUANTILES = quantiles();

    private final long key;

    NormalNumbers(long seed, String stream) {
        long hash = seed;
        for (int i = 0; i < stream.length(); i++) {
            hash = mix(hash + GAMMA * (stream.charAt(i) + 1));
        }
        this.key = hash;
    }

    /** The middles of equal parts of the distribution, from the middle out by dx = dp / density(x). */
    private static float[] quantiles() {
        int n = 1 << BITS;
        float[] quantiles = new float[n];
        double dp = 1.0 / n;
        double x = dp / 2 / density(0);
        for (int i = n / 2; i < n; i++) {
            quantiles[i] = (float) x;
            quantiles[n - 1 - i] = (float) -x;
            x += dp / density(x + dp / 2 / density(x));
        }
        return quantiles;
    }

    private static double density(double x) {
        return Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
    }

    private static long mix(long bits) {
        long z = (bits ^ bits >>> 30) * 0xBF58476D1CE4E5B9L;
        z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
        return z ^ z >>> 31;
    }

    /** Numbers {@code first} to {@code first + count}, times {@code std} plus {@code mean}. */
    void fill(long first, int count, float mean, float std, float[] to, int at) {
        int done = 0;
        while (done < count) {
            long draw = (first + done) / LANES;
            int lane = (int) ((first + done) % LANES);
            long bits = mix(key + GAMMA * (draw + 1)) >>> lane * 16;
            for (int n = Math.min(LANES - lane, count - done); n > 0; n--) {
                to[at + done++] = mean + std * QUANTILES[(int) bits & (1 << BITS) - 1];
                bits >>>= 16;
            }
        }
    }
}
