package jdiffusion.kernels.attention;

import static jdiffusion.kernels.cpu.MicroKernel.MR;
import static jdiffusion.kernels.cpu.MicroKernel.NR;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.cpu.Cpu.Buffer;
import jdiffusion.kernels.cpu.Widen;
import jdiffusion.kernels.machine.Start;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;

/**
 * Attention by blocks of keys with an online softmax (Dao et al., "FlashAttention", 2022), on the inner loop of the
 * matrix products.
 *
 * <p>Everything is transposed, queries side by side in the vector lanes: a block of scores is S^T = K Q^T. Its tiles
 * [MR keys][NR queries] one below the other are already the packed right operand of O^T += V^T S^T, and the softmax
 * over keys never sums across lanes. K and V are packed once for each head; a work item is then a head and
 * {@link #QUERIES} queries, and goes through the keys in blocks of {@link #KEYS}.
 *
 * <p>Where {@link jdiffusion.kernels.cpu.Products#inPairs}, {@link PairAttention} does the same, with AMX's tiles
 * {@link TileAttention}, and q, k, v and out are float32 or bfloat16, all of them; elsewhere they are float32.
 */
public final class CpuAttention {
    /** Queries of a work item: with fewer, narrow vectors would read the packed K and V too often. */
    private static final int QUERIES = Math.max(64, NR);
    /** Keys of a block: with 64 queries, its scores and a tile's operands stay in a first-level cache. */
    private static final int KEYS = 16 * MR;
    /** Floats of packed K and V held at once, unless one head alone needs more. */
    private static final long PACKED = 8 << 20;
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final Cpu cpu;
    private final PairAttention inPairs;
    private final TileAttention onTiles;
    private final CpuAttentionLook looks;

    public CpuAttention(Cpu cpu) {
        this.cpu = cpu;
        inPairs = new PairAttention(cpu);
        onTiles = new TileAttention(cpu);
        looks = new CpuAttentionLook(cpu, this);
    }

    /** This kernel's vector loops, on scraps: what a program's start has compiled in the background. */
    public static List<Runnable> vectorLoops() {
        return OnlineSoftmax.vectorLoops();
    }

    /** See {@link jdiffusion.kernels.Backend#attention}. */
    public void run(AttentionShape shape, List<AttentionStream> streams, Tensor relativeBias) {
        run(AttentionCall.onCpu(shape, streams, relativeBias, operandType(streams)));
    }

    /**
     * The same, and keeps what is looked at.
     *
     * @return multiplications and additions of scores that were computed a second time
     */
    public long lookAt(AttentionShape shape, List<AttentionStream> streams, AttentionLook look) {
        AttentionCall call = AttentionCall.onCpu(shape, streams, null, operandType(streams)).looking(look,
                !keepsOnTheWay(shape, look));
        AttentionCall run = look.keys() == null || onTiles.takes(shape) ? call : call.keeping(look);
        run(run);
        look.lap(() -> { });
        looks.run(run, look);
        return look.flops(shape, streams, run.kept() == null ? look.columnCount() : 0);
    }

    /**
     * Whether what is looked at is kept while the attention runs. Mass and entropy are not; nor is anything of AMX's
     * tiles, which go through all keys in one call of machine code, so that their scores are never here.
     */
    public boolean keepsOnTheWay(AttentionShape shape, AttentionLook look) {
        return look.mass() == null && !onTiles.takes(shape);
    }

    private void run(AttentionCall call) {
        AttentionShape shape = call.shape();
        // Packing rounds both up, and one head's keys have to fit an array.
        if ((call.keys() + (long) MR) * (shape.headDim() + (long) MR) > Integer.MAX_VALUE - 8) {
            throw new IllegalArgumentException("attention: a head of " + call.keys() + " keys of " + shape.headDim()
                    + " channels is more than the " + Integer.MAX_VALUE + " numbers that an array holds");
        }
        if (call.queries() == 0) {
            return;
        }
        if (onTiles.takes(shape)) {
            onTiles.run(call);
            return;
        }
        if (cpu.products().inPairs()) {
            inPairs.run(call);
            return;
        }
        int keys = padded(call.keys());
        int keySize = Math.multiplyExact(keys, depth(shape.headDim()));
        int valueSize = Math.multiplyExact(keys, up(shape.headDim(), MR));
        int pairs = call.pairs();
        int rounds = Math.ceilDiv(pairs, Math.clamp(PACKED / (keySize + (long) valueSize), 1, pairs));
        int held = Math.ceilDiv(pairs, rounds);
        float[] packedK = cpu.shared(Buffer.A_PANEL, Math.multiplyExact(held, keySize));
        float[] packedV = cpu.shared(Buffer.B_PANEL, Math.multiplyExact(held, valueSize));
        int chunks = Math.ceilDiv(keys, KEYS);
        int blocks = Math.ceilDiv(call.queries(), QUERIES);
        for (int first = 0; first < pairs; first += held) {
            int start = first;
            int count = Math.min(held, pairs - start);
            cpu.workers().run(count * chunks, (item, worker) -> {
                int slot = item / chunks;
                pack(call, start + slot, item % chunks * KEYS, packedK, slot * keySize, packedV, slot * valueSize,
                        worker);
            });
            cpu.workers().run(count * blocks, (item, worker) -> {
                int slot = item / blocks;
                attend(call, start + slot, item % blocks * QUERIES, packedK, slot * keySize, packedV,
                        slot * valueSize, worker);
            });
        }
    }

    /** That of the first stream, if it is one that q, k, v and out may have. */
    private DType operandType(List<AttentionStream> streams) {
        DType type = streams.isEmpty() ? DType.F32 : streams.getFirst().type();
        boolean inPairs = cpu.products().inPairs();
        if (type != DType.F32 && !(inPairs && type == DType.BF16)) {
            AttentionStream first = streams.getFirst();
            throw new IllegalArgumentException("attention: " + (first.k() == null ? "q" : "k") + " of stream 0 is "
                    + (first.k() == null ? first.q() : first.k()) + ", needs F32"
                    + (inPairs ? " or BF16" : ": there are no products in pairs of BF16 here"));
        }
        return type;
    }

    /** Packs K and V from key {@code from} to the end of its block, zeros after the last key that exists. */
    private void pack(AttentionCall call, int pair, int from, float[] k, int kAt, float[] v, int vAt, int worker) {
        int d = call.shape().headDim();
        int stride = padded(call.keys());
        int present = call.keys(pair);
        int to = Math.min(from + KEYS, padded(present));
        float[] row = cpu.local(worker, Buffer.ROW, HeadMath.size(d));
        call.forKeys(pair, from, KEYS, (stream, token, first, count) -> {
            HeadMath.begin(stream, Role.K, row, d);
            for (int i = 0; i < count; i++) {
                read(call, stream, Role.K, pair, token + i, row);
                packKey(row, d, k, kAt, from + first + i);
                read(call, stream, Role.V, pair, token + i, row);
                packValue(row, d, v, vAt, from + first + i, stride);
            }
        });
        Arrays.fill(row, 0, d, 0);
        for (int key = Math.max(from, present); key < to; key++) {
            packKey(row, d, k, kAt, key);
            packValue(row, d, v, vAt, key, stride);
        }
    }

    /** K becomes left rows [keys][depth]. */
    static void packKey(float[] row, int d, float[] k, int at, int key) {
        packChannels(row, d, k, at + key * depth(d), 1);
    }

    /** Channels {@code step} apart, and zeros up to the depth. */
    private static void packChannels(float[] row, int d, float[] to, int at, int step) {
        for (int i = 0; i < d; i++) {
            to[at + i * step] = row[i];
        }
        for (int i = d; i < depth(d); i++) {
            to[at + i * step] = 0;
        }
    }

    /** V becomes left rows [channels][keys]; channels past the last are zero. */
    private static void packValue(float[] row, int d, float[] v, int at, int key, int keys) {
        for (int c = 0; c < d; c++) {
            v[at + c * keys + key] = row[c];
        }
        for (int c = d; c < up(d, MR); c++) {
            v[at + c * keys + key] = 0;
        }
    }

    /**
     * A part of the online softmax over a block of scores [n][NR].
     *
     * <p>All are called from one place: a call with three targets is not inlined, so each is compiled by itself. In
     * one caller, with the products, their vectors would outgrow what the compiler inlines, and would be allocated.
     */
    private interface Part {
        /** @param sums of the panel's queries too, [channels][NR] each */
        void run(float[] scores, int n, float[] state, int query, float[] sums, int channels);
    }

    private static final Part[] SOFTMAX = {
        (scores, n, state, query, _, _) -> OnlineSoftmax.raise(scores, n, state, query, QUERIES),
        (_, _, state, query, sums, channels) -> {
            if (OnlineSoftmax.factors(state, query, NR, QUERIES)) {
                OnlineSoftmax.rescale(sums, query * channels, channels, state, query, QUERIES);
            }
        },
        (scores, n, state, query, _, _) -> OnlineSoftmax.exponentiate(scores, n, state, query, QUERIES)};

    private void attend(AttentionCall call, int pair, int from, float[] k, int kAt, float[] v, int vAt, int worker) {
        int d = call.shape().headDim();
        int channels = up(d, MR);
        int count = Math.min(QUERIES, call.queries() - from);
        int panels = Math.ceilDiv(count, NR);
        int depth = depth(d);
        float[] q = cpu.local(worker, Buffer.B_PANEL, QUERIES * depth);
        float[] scores = cpu.local(worker, Buffer.SCORES, KEYS * NR);
        float[] sums = cpu.local(worker, Buffer.SUMS, QUERIES * channels);
        float[] state = cpu.local(worker, Buffer.STATISTICS, OnlineSoftmax.size(QUERIES));
        float[] bias = call.relativeBias() == null ? null
                : call.bias(pair, cpu.local(worker, Buffer.TILE, call.relativeBias().cols()));
        packQueries(call, pair, from, count, q, worker);
        Arrays.fill(sums, 0, panels * NR * channels, 0);
        OnlineSoftmax.reset(state, QUERIES);

        int stride = padded(call.keys());
        int present = call.keys(pair);
        int end = padded(call.shape().causal() ? Math.min(present, from + count) : present);
        for (int key = 0; key < end; key += KEYS) {
            int n = Math.min(KEYS, end - key);
            for (int p = 0; p < panels; p++) {
                int query = p * NR;
                call.startScores(bias, present, key, n, from + query, Math.min(NR, count - query), scores);
                cpu.products().multiply(Start.SUMS, n / MR, depth, k, kAt + key * depth, depth, q, query * depth,
                        scores, 0, null);
                if (call.kept() != null) {
                    call.kept().keep(pair, key, n, from + query, Math.min(NR, count - query), scores);
                }
                for (Part part : SOFTMAX) {
                    part.run(scores, n, state, query, sums, channels);
                }
                Widen.round(cpu.precision(), scores, 0, n * NR);
                cpu.products().multiply(Start.SUMS, channels / MR, n, v, vAt + key, stride, scores, 0, sums,
                        query * channels, null);
            }
        }
        write(call, pair, from, count, sums, state, worker);
        for (int query = 0; call.kept() != null && query < count; query += NR) {
            call.kept().finish(pair, from + query, Math.min(NR, count - query), 1, scores, state);
        }
    }

    private static void multiply(float[] values, int n, float factor) {
        for (int i = 0; i < n; i++) {
            values[i] *= factor;
        }
    }

    /** Q becomes right operands [depth][NR queries], scaled after rounding. */
    void packQueries(AttentionCall call, int pair, int from, int count, float[] q, int worker) {
        int d = call.shape().headDim();
        float[] row = cpu.local(worker, Buffer.ROW, HeadMath.size(d));
        int depth = depth(d);
        Arrays.fill(q, 0, up(count, NR) * depth, 0);
        call.forQueries(from, count, (stream, token, first, tokens) -> {
            HeadMath.begin(stream, Role.Q, row, d);
            for (int i = 0; i < tokens; i++) {
                read(call, stream, Role.Q, pair, token + i, row);
                multiply(row, d, call.shape().scale());
                packChannels(row, d, q, (first + i) / NR * NR * depth + (first + i) % NR, NR);
            }
        });
    }

    /** Divides the sums by those of the softmax and stores them. */
    private void write(AttentionCall call, int pair, int from, int count, float[] sums, float[] state, int worker) {
        int d = call.shape().headDim();
        int channels = up(d, MR);
        float[] row = cpu.local(worker, Buffer.ROW, HeadMath.size(d));
        call.forQueries(from, count, (stream, token, first, tokens) -> {
            for (int i = first; i < first + tokens; i++) {
                int at = i / NR * NR * channels + i % NR;
                float sum = state[QUERIES + i];
                float factor = sum == 0 ? 0 : 1 / sum;
                if (call.logSums() != null) {
                    call.keepLogSum(pair, from + i, state[i], sum);
                }
                for (int c = 0; c < d; c++) {
                    row[c] = sums[at + c * NR] * factor;
                }
                MemorySegment.copy(row, 0, stream.out().data(), FLOAT,
                        call.offset(stream.out(), pair, token + i - first), d);
            }
        });
    }

    /** The head's channels of a token as a product's input. */
    void read(AttentionCall call, AttentionStream stream, Role role, int pair, int token, float[] row) {
        call.read(role.of(stream), pair, token, row, 0);
        HeadMath.apply(call.shape(), stream, role, token, row);
        Widen.round(cpu.precision(), row, 0, call.shape().headDim());
    }

    /** Channels of the product over a head: the inner loop takes an even number. */
    static int depth(int headDim) {
        return up(headDim, 2);
    }

    /** Keys with those added that fill the last panel. */
    private static int padded(int keys) {
        return up(keys, MR);
    }

    private static int up(int n, int step) {
        return Math.ceilDiv(n, step) * step;
    }
}
