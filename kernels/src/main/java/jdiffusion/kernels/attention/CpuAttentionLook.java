package jdiffusion.kernels.attention;

import static jdiffusion.kernels.cpu.MicroKernel.MR;
import static jdiffusion.kernels.cpu.MicroKernel.NR;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.cpu.Cpu.Buffer;
import jdiffusion.kernels.machine.MachinePairs;
import jdiffusion.kernels.machine.Start;
import jdiffusion.tensor.Tensor;

/**
 * What of an attention's probabilities cannot be kept on its way as {@link KeptColumns} does: mass and entropy, and
 * columns where its scores are on AMX's tiles. They are exp(score - log sum), the scores computed once more from the
 * same q and k, rounded as the attention has rounded them, by the same products. A work item is a head of a sequence,
 * so sums do not depend on the threads.
 */
final class CpuAttentionLook {
    /** Keys of a block: whole panels, with pairs too. */
    private static final int KEYS = 32 * MR;
    /** What keys are a multiple of, so that rows are. */
    private static final int KEY_UNIT = 2 * MR;
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final Cpu cpu;
    private final CpuAttention attention;
    private final HeadRows heads;
    private AttentionCall call;
    private boolean inPairs;
    /** Channels of a packed row. */
    private int width;
    /** Words of a packed row: channels, or pairs of them. */
    private int words;
    /** Words of a packed row that products read. */
    private int depth;

    CpuAttentionLook(Cpu cpu, CpuAttention attention) {
        this.cpu = cpu;
        this.attention = attention;
        heads = new HeadRows(cpu);
    }

    /** After the attention has run, which has left its log sums. */
    void run(AttentionCall given, AttentionLook look) {
        boolean columnsAgain = look.columnCount() > 0 && given.kept() == null;
        if (given.queries() == 0 || !columnsAgain && look.mass() == null) {
            look.lap(() -> { });
            return;
        }
        call = given;
        int headDim = call.shape().headDim();
        inPairs = cpu.products().inPairs();
        width = inPairs ? up(headDim, 2 * MachinePairs.SIDE) : CpuAttention.depth(headDim);
        words = inPairs ? width / 2 : width;
        depth = inPairs ? up(headDim, 4) / 2 : width;
        if (inPairs) {
            heads.begin(call, width);
        }
        if (columnsAgain) {
            int[] keys = KeptColumns.keys(look);
            cpu.workers().run(call.pairs(), (pair, worker) -> columns(pair, keys, look.columns(), worker));
        }
        look.lap(() -> { });
        if (look.mass() != null) {
            cpu.workers().run(call.pairs(), (pair, worker) -> mass(pair, look, worker));
        }
        if (inPairs) {
            heads.end();
        }
        call = null;
    }

    private void columns(int pair, int[] keys, Tensor columns, int worker) {
        int rows = up(keys.length, KEY_UNIT);
        float[] k = cpu.local(worker, Buffer.A_PANEL, Math.multiplyExact(rows, words));
        boolean[] exists = new boolean[keys.length];
        Arrays.fill(k, 0, rows * words, 0);
        for (int j = 0; j < keys.length; j++) {
            int at = j;
            call.forKey(pair, keys[j], (stream, token, _, _) -> {
                readKeys(stream, pair, token, 1, k, at, worker);
                exists[at] = true;
            });
        }
        MemorySegment out = columns.data();
        forQueries(pair, worker, (from, count, q, state, scores) -> {
            for (int key = 0; key < rows; key += KEYS) {
                int n = Math.min(KEYS, rows - key);
                scores(k, key, n, q, scores);
                OnlineSoftmax.exponentiate(scores, n, state, 0, NR);
                for (int j = key; j < Math.min(key + n, keys.length); j++) {
                    if (!exists[j]) {
                        Arrays.fill(scores, (j - key) * NR, (j - key) * NR + count, 0);
                    }
                    long row = (long) pair * keys.length + j;
                    MemorySegment.copy(scores, (j - key) * NR, out, FLOAT,
                            Float.BYTES * (row * call.queries() + from), count);
                }
            }
        });
    }

    private void mass(int pair, AttentionLook look, int worker) {
        int present = call.keys(pair);
        int rows = up(present, KEY_UNIT);
        float[] k = cpu.local(worker, Buffer.A_PANEL, Math.multiplyExact(rows, words));
        Arrays.fill(k, 0, rows * words, 0);
        for (int from = 0; from < present; from += KEYS) {
            int start = from;
            call.forKeys(pair, from, KEYS, (stream, token, first, count) ->
                    readKeys(stream, pair, token, count, k, start + first, worker));
        }
        float[] mass = cpu.local(worker, Buffer.SUMS, present + NR);
        Arrays.fill(mass, 0, present + NR, 0);
        MemorySegment entropies = look.entropy().data();
        float[] raw = new float[KEYS * NR];
        forQueries(pair, worker, (from, count, q, state, scores) -> {
            Arrays.fill(mass, present, present + NR, 0);
            for (int key = 0; key < present; key += KEYS) {
                int n = Math.min(KEYS, rows - key);
                scores(k, key, n, q, scores);
                System.arraycopy(scores, 0, raw, 0, n * NR);
                OnlineSoftmax.exponentiate(scores, n, state, 0, NR);
                for (int j = 0; j < Math.min(n, present - key); j++) {
                    mass[key + j] += sum(scores, j * NR, count);
                    for (int i = 0; i < NR; i++) {
                        mass[present + i] += scores[j * NR + i] * (state[i] - raw[j * NR + i]);
                    }
                }
            }
            MemorySegment.copy(mass, present, entropies, FLOAT,
                    Float.BYTES * ((long) pair * call.queries() + from), count);
        });
        long row = (long) pair * call.keys();
        MemorySegment to = look.mass().data();
        to.asSlice(Float.BYTES * row, (long) Float.BYTES * call.keys()).fill((byte) 0);
        call.forKeys(pair, 0, present, (stream, token, first, count) -> MemorySegment.copy(mass, first, to, FLOAT,
                Float.BYTES * (row + call.firstKey(stream) + token), count));
    }

    /** Four sums, since one alone would wait for each addition. */
    private static float sum(float[] values, int at, int n) {
        float a = 0;
        float b = 0;
        float c = 0;
        float d = 0;
        int i = at;
        for (; i <= at + n - 4; i += 4) {
            a += values[i];
            b += values[i + 1];
            c += values[i + 2];
            d += values[i + 3];
        }
        for (; i < at + n; i++) {
            a += values[i];
        }
        return a + b + (c + d);
    }

    /** Some queries that lie side by side. */
    private interface Block {
        /**
         * @param q      packed
         * @param state  of a softmax whose largest scores are the log sums
         * @param scores room for KEYS of them
         */
        void of(int from, int count, float[] q, float[] state, float[] scores);
    }

    private void forQueries(int pair, int worker, Block block) {
        float[] q = cpu.local(worker, Buffer.B_PANEL, NR * words);
        float[] state = cpu.local(worker, Buffer.TILE, OnlineSoftmax.size(NR));
        float[] scores = cpu.local(worker, Buffer.SCORES, Math.max(KEYS, words) * NR);
        MemorySegment logSums = call.logSums().data();
        for (int from = 0; from < call.queries(); from += NR) {
            int count = Math.min(NR, call.queries() - from);
            packQueries(pair, from, count, q, worker);
            Arrays.fill(state, 0, 2 * NR, 0);
            MemorySegment.copy(logSums, FLOAT, Float.BYTES * ((long) pair * call.queries() + from), state, 0, count);
            for (int i = 0; i < count; i++) {
                // Without any key nothing has a probability.
                state[i] = state[i] == Float.NEGATIVE_INFINITY ? Float.MAX_VALUE : state[i];
            }
            block.of(from, count, q, state, scores);
        }
    }

    /** Rows of neighbouring keys, as the attention rounds them. */
    private void readKeys(AttentionStream stream, int pair, int token, int count, float[] to, int row, int worker) {
        if (inPairs) {
            heads.read(stream, Role.K, pair, token, count, MemorySegment.ofArray(to), (long) Float.BYTES * row * words,
                    worker);
            return;
        }
        int d = call.shape().headDim();
        float[] values = cpu.local(worker, Buffer.ROW, HeadMath.size(d));
        HeadMath.begin(stream, Role.K, values, d);
        for (int i = 0; i < count; i++) {
            attention.read(call, stream, Role.K, pair, token + i, values);
            CpuAttention.packKey(values, d, to, 0, row + i);
        }
    }

    /** Queries become right operands [words][NR]. */
    private void packQueries(int pair, int from, int count, float[] to, int worker) {
        if (!inPairs) {
            attention.packQueries(call, pair, from, count, to, worker);
            return;
        }
        float[] rows = cpu.local(worker, Buffer.SCORES, Math.max(KEYS, words) * NR);
        MemorySegment packed = MemorySegment.ofArray(rows);
        call.forQueries(from, count, (stream, token, first, tokens) -> heads.read(stream, Role.Q, pair, token, tokens,
                packed, (long) Float.BYTES * first * words, worker));
        Arrays.fill(rows, count * words, NR * words, 0);
        for (int query = 0; query < NR; query += MachinePairs.SIDE) {
            cpu.products().pairs().transpose(rows, query * words, words, words, to, query, NR);
        }
    }

    /** The scaled scores [n][NR] of packed keys, n whole panels. */
    private void scores(float[] k, int key, int n, float[] q, float[] scores) {
        if (inPairs) {
            cpu.products().multiplyRows(Start.ZERO, n, depth, k, key * words, words, q, 0, scores, 0);
            float scale = call.shape().scale();
            for (int i = 0; i < n * NR; i++) {
                scores[i] *= scale;
            }
        } else {
            Arrays.fill(scores, 0, n * NR, 0);
            cpu.products().multiply(Start.SUMS, n / MR, depth, k, key * words, words, q, 0, scores, 0, null);
        }
    }

    private static int up(int n, int step) {
        return Math.ceilDiv(n, step) * step;
    }
}
