package jdiffusion.emulator;

import java.util.Arrays;

/**
 * The banks of shared memory: 32, each of which gives one word of 4 bytes in a cycle. Not thread-safe: it keeps what it
 * counts with.
 */
public final class Banks {
    /** Banks of a multiprocessor. */
    public static final int COUNT = 32;
    private static final int LANES = 32;
    private static final int PASS_BYTES = 128;

    private final int[] words = new int[4 * LANES];
    private final int[] load = new int[COUNT];

    /** Lanes that are served together at this width: 32 up to 4 bytes, 16 at 8 bytes, 8 at 16. */
    public static int lanesTogether(int bytes) {
        return bytes <= 4 ? LANES : PASS_BYTES / bytes;
    }

    /** Cycles that a warp's request takes without conflicts: one for each group of lanes in which one takes part. */
    public static int passes(int mask, int bytes) {
        int lanes = lanesTogether(bytes);
        int group = lanes == LANES ? -1 : (1 << lanes) - 1;
        int passes = 0;
        for (int from = 0; from < LANES; from += lanes) {
            passes += (mask >>> from & group) != 0 ? 1 : 0;
        }
        return passes;
    }

    /**
     * Cycles that a warp's request takes more than without conflicts: for each group of lanes that are served together
     * the most distinct words in one bank, less one.
     *
     * @param address by lane
     * @param mask    lanes that take part
     * @param bytes   of each lane, at most 16
     */
    public int conflicts(long[] address, int mask, int bytes) {
        int lanes = lanesTogether(bytes);
        int lost = 0;
        for (int from = 0; from < LANES; from += lanes) {
            int count = 0;
            for (int l = from; l < from + lanes; l++) {
                if ((mask >>> l & 1) != 0) {
                    for (int i = 0; i < Math.max(1, bytes / 4); i++) {
                        words[count++] = (int) (address[l] >> 2) + i;
                    }
                }
            }
            lost += together(count);
        }
        return lost;
    }

    private int together(int count) {
        Arrays.sort(words, 0, count);
        Arrays.fill(load, 0);
        int most = 1;
        for (int i = 0; i < count; i++) {
            if (i == 0 || words[i] != words[i - 1]) {
                most = Math.max(most, ++load[words[i] & COUNT - 1]);
            }
        }
        return most - 1;
    }
}
