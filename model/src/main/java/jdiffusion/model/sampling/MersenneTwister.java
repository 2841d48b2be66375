package jdiffusion.model.sampling;

/**
 * MT19937 with 32-bit output (Matsumoto and Nishimura, "Mersenne Twister", 1998), the engine of
 * {@code torch.Generator("cpu")}.
 */
final class MersenneTwister {
    private static final int SIZE = 624;
    private static final int MIDDLE = 397;
    private static final int TWIST = 0x9908b0df;

    private final int[] state = new int[SIZE];
    private int next = SIZE;

    /** Of a wider seed only the low 32 bits count, as in torch. */
    MersenneTwister(long seed) {
        state[0] = (int) seed;
        for (int i = 1; i < SIZE; i++) {
            state[i] = 1812433253 * (state[i - 1] ^ state[i - 1] >>> 30) + i;
        }
    }

    /** The next 32 random bits. */
    int nextInt() {
        if (next == SIZE) {
            refill();
        }
        int y = state[next++];
        y ^= y >>> 11;
        y ^= y << 7 & 0x9d2c5680;
        y ^= y << 15 & 0xefc60000;
        return y ^ y >>> 18;
    }

    private void refill() {
        for (int i = 0; i < SIZE - MIDDLE; i++) {
            state[i] = state[i + MIDDLE] ^ twist(state[i], state[i + 1]);
        }
        for (int i = SIZE - MIDDLE; i < SIZE - 1; i++) {
            state[i] = state[i + MIDDLE - SIZE] ^ twist(state[i], state[i + 1]);
        }
        state[SIZE - 1] = state[MIDDLE - 1] ^ twist(state[SIZE - 1], state[0]);
        next = 0;
    }

    private static int twist(int high, int low) {
        return (high & 0x80000000 | low & 0x7fffffff) >>> 1 ^ -(low & 1) & TWIST;
    }
}
