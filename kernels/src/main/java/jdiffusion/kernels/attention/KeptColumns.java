package jdiffusion.kernels.attention;

import static jdiffusion.kernels.cpu.MicroKernel.NR;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdiffusion.tensor.Tensor;

/**
 * The probabilities of chosen keys, kept while an attention runs: a block of scores that has some of them leaves these
 * in their columns as they are, and once the log sums of its queries are known, they become exp(score - log sum). So
 * nothing is computed a second time.
 */
final class KeptColumns {
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final MemorySegment columns;
    private final MemorySegment logSums;
    private final int count;
    private final int queries;
    private final int heads;
    /** [sequences][count]: a chosen key's place among the keys of a sequence that exist; -1 where it does not. */
    private final int[][] places;

    /** @param call on the CPU, so that counts of keys are known, of which {@code look} has been checked */
    KeptColumns(AttentionCall call, AttentionLook look) {
        columns = look.columns().data();
        logSums = look.logSums().data();
        queries = call.queries();
        heads = call.shape().heads();
        int[] keys = keys(look);
        count = keys.length;
        places = new int[call.shape().batch()][count];
        for (int b = 0; b < places.length; b++) {
            int[] of = places[b];
            int pair = b * heads;
            for (int j = 0; j < count; j++) {
                int at = j;
                of[j] = -1;
                call.forKey(pair, keys[j], (stream, token, _, _) -> of[at] = call.firstPresent(pair, stream) + token);
            }
        }
    }

    /** The keys that are looked at. */
    static int[] keys(AttentionLook look) {
        Tensor stored = look.keys();
        int[] keys = new int[look.columnCount()];
        for (int i = 0; i < keys.length; i++) {
            keys[i] = stored.data().get(INT, (long) Integer.BYTES * i);
        }
        return keys;
    }

    private long offset(int pair, int j, int query) {
        return Float.BYTES * (((long) pair * count + j) * queries + query);
    }

    /**
     * Keeps what a block has of the chosen keys.
     *
     * @param key    the block's first, counted with those that exist
     * @param n      keys of the block
     * @param from   the block's first query, of {@code tokens}
     * @param scores [n][NR]
     */
    void keep(int pair, int key, int n, int from, int tokens, float[] scores) {
        int[] of = places[pair / heads];
        for (int j = 0; j < of.length; j++) {
            int row = of[j] - key;
            if (row >= 0 && row < n) {
                MemorySegment.copy(scores, row * NR, columns, FLOAT, offset(pair, j, from), tokens);
            }
        }
    }

    /**
     * What was kept of some queries becomes probabilities, by their log sums.
     *
     * @param tokens at most NR
     * @param factor of scores that were kept before they were scaled
     * @param scores room
     * @param state  room for that of a softmax of NR queries
     */
    void finish(int pair, int from, int tokens, float factor, float[] scores, float[] state) {
        Arrays.fill(state, 0, OnlineSoftmax.size(NR), 0);
        MemorySegment.copy(logSums, FLOAT, Float.BYTES * ((long) pair * queries + from), state, 0, tokens);
        int[] of = places[pair / heads];
        int most = scores.length / NR;
        for (int first = 0; first < count; first += most) {
            int n = Math.min(most, count - first);
            Arrays.fill(scores, 0, n * NR, 0);
            for (int j = 0; j < n; j++) {
                if (of[first + j] >= 0) {
                    MemorySegment.copy(columns, FLOAT, offset(pair, first + j, from), scores, j * NR, tokens);
                }
            }
            for (int i = 0; i < n * NR; i++) {
                scores[i] *= factor;
            }
            OnlineSoftmax.exponentiate(scores, n, state, 0, NR);
            for (int j = 0; j < n; j++) {
                if (of[first + j] < 0) {
                    Arrays.fill(scores, j * NR, (j + 1) * NR, 0);
                }
                MemorySegment.copy(scores, j * NR, columns, FLOAT, offset(pair, first + j, from), tokens);
            }
        }
    }
}
