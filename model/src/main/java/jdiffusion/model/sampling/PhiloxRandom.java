package jdiffusion.model.sampling;

/**
 * Standard normal numbers by Philox4x32-10 (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", 2011) in the
 * order that A1111 calls "NV": number i of call n is made of the counter (n, 0, i, 0) by Box and Muller's sine, with
 * the seed as key. It is the same on every machine, and what {@code torch.randn} gives on a CUDA device as long as one
 * thread of that device makes one number.
 *
 * <p>Sums and products are those of A1111's code: double precision with constants in float32.
 */
public final class PhiloxRandom implements RandomNormals {
    private static final int ROUNDS = 10;
    private static final long MULTIPLIER_0 = 0xD2511F53L;
    private static final long MULTIPLIER_1 = 0xCD9E8D57L;
    private static final int WEYL_0 = 0x9E3779B9;
    private static final int WEYL_1 = 0xBB67AE85;
    private static final long LOW = 0xFFFFFFFFL;
    /** 2^-32, and 2 pi times that, both as float32. */
    private static final float STEP = 2.3283064e-10f;
    private static final float ANGLE_STEP = (float) (2.3283064e-10 * 6.2831855);

    private final long seed;
    private final int[] counter = new int[4];
    private int calls;

    public PhiloxRandom(long seed) {
        this.seed = seed;
    }

    @Override
    public void normals(float[] out) {
        for (int i = 0; i < out.length; i++) {
            counter[0] = calls;
            counter[1] = 0;
            counter[2] = i;
            counter[3] = 0;
            bits(counter, (int) seed, (int) (seed >>> 32));
            double u = (counter[0] & LOW) * (double) STEP + STEP / 2;
            double v = (counter[1] & LOW) * (double) ANGLE_STEP + ANGLE_STEP / 2;
            out[i] = (float) (Math.sqrt(-2 * StrictMath.log(u)) * StrictMath.sin(v));
        }
        calls++;
    }

    /** Philox4x32-10: the counter becomes its random numbers. */
    static void bits(int[] c, int key0, int key1) {
        int k0 = key0;
        int k1 = key1;
        for (int round = 0; round < ROUNDS; round++) {
            long a = (c[0] & LOW) * MULTIPLIER_0;
            long b = (c[2] & LOW) * MULTIPLIER_1;
            int first = (int) (b >>> 32) ^ c[1] ^ k0;
            c[2] = (int) (a >>> 32) ^ c[3] ^ k1;
            c[0] = first;
            c[1] = (int) b;
            c[3] = (int) a;
            k0 += WEYL_0;
            k1 += WEYL_1;
        }
    }
}
