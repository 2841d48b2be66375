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
import jdiffusion.kernels.machine.MachineSoftmax;
import jdiffusion.kernels.machine.Start;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;

/**
 * Attention as {@link CpuAttention} has it, where operands are pairs of bfloat16 and machine code does all the work:
 * words are two consecutive channels in K and Q, two consecutive keys in V and the scores.
 *
 * <p>A head's K is packed as left rows [keys][channels / 2], its V as [channels][keys / 2], a block of queries as
 * right rows [channels / 2][NR]. Channels are filled up with zeros to whole vectors. Rows of bfloat16 are words where
 * they lie; where they have to be filled up, they are widened first.
 */
final class PairAttention {
    private static final int SIDE = MachinePairs.SIDE;
    /** Keys of a block: whole panels, whole squares of pairs, whole tiles. */
    private static final int KEYS = 2 * SIDE * MR;
    /** Words of packed K and V held at once, unless one head alone needs more. */
    private static final long PACKED = 8 << 20;
    /** Float32, or words. */
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    /** What keys are a multiple of, so that rows are, and pairs of them too. */
    private static final int KEY_UNIT = 2 * MR;

    private final Cpu cpu;
    private final HeadRows heads;
    private AttentionCall call;
    private int headDim;
    /** Channels of packed rows. */
    private int width;
    /** Words of a packed row that are not all zeros: as deep as products go. */
    private int depth;
    /** Rows of packed V: all channels, and whole panels of them. */
    private int valueRows;
    private int keys;
    /** Words of a row of packed V. */
    private int valueStride;

    PairAttention(Cpu cpu) {
        this.cpu = cpu;
        heads = new HeadRows(cpu);
    }

    void run(AttentionCall given) {
        call = given;
        headDim = call.shape().headDim();
        width = up(headDim, 2 * SIDE);
        depth = up(headDim, 4) / 2;
        valueRows = up(width, MR);
        heads.begin(call, width);
        keys = up(call.keys(), KEY_UNIT);
        valueStride = up(keys / 2, SIDE);
        int keySize = Math.multiplyExact(keys, width / 2);
        int valueSize = Math.multiplyExact(valueRows, valueStride);
        int pairs = call.pairs();
        int rounds = Math.ceilDiv(pairs, Math.clamp(PACKED / (keySize + (long) valueSize), 1, pairs));
        int held = Math.ceilDiv(pairs, rounds);
        float[] k = cpu.shared(Buffer.A_PANEL, Math.multiplyExact(held, keySize));
        float[] v = cpu.shared(Buffer.B_PANEL, Math.multiplyExact(held, valueSize));
        int chunks = Math.ceilDiv(keys, KEYS);
        int blocks = Math.ceilDiv(call.queries(), NR);
        for (int first = 0; first < pairs; first += held) {
            int start = first;
            int count = Math.min(held, pairs - start);
            cpu.workers().run(count * chunks, (item, worker) -> {
                int slot = item / chunks;
                int from = item % chunks * KEYS;
                packKeys(start + slot, from, k, slot * keySize, worker);
                packValues(start + slot, from, v, slot * valueSize, worker);
            });
            cpu.workers().run(count * blocks, (item, worker) -> {
                int slot = item / blocks;
                attend(start + slot, item % blocks * NR, k, slot * keySize, v, slot * valueSize, worker);
            });
        }
        heads.end();
        call = null;
    }

    /** Keys {@code from} to the end of their block, zeros after the last one. */
    private void packKeys(int pair, int from, float[] to, int at, int worker) {
        int end = Math.min(from + KEYS, up(call.keys(pair), KEY_UNIT));
        MemorySegment words = MemorySegment.ofArray(to);
        call.forKeys(pair, from, end - from, (stream, token, first, count) -> heads.read(stream, Role.K, pair, token,
                count, words, (long) Float.BYTES * (at + (from + first) * width / 2), worker));
        int rest = Math.max(from, call.keys(pair));
        if (rest < end) {
            Arrays.fill(to, at + rest * width / 2, at + end * width / 2, 0);
        }
    }

    private void packValues(int pair, int from, float[] to, int at, int worker) {
        int present = call.keys(pair) - from;
        if (present <= 0) {
            return;
        }
        MachinePairs code = cpu.products().pairs();
        float[] words = cpu.local(worker, Buffer.SCORES, KEYS / 2 * width);
        float[] filled = cpu.local(worker, Buffer.ROW, KEYS * width);
        boolean direct = width == headDim && call.isOneRun(pair, from, KEYS);
        call.forKeys(pair, from, KEYS, (stream, token, first, count) -> {
            Tensor v = stream.v();
            long offset = call.offset(v, pair, token);
            if (!direct) {
                heads.gather(v, pair, token, count, filled, first * width);
            } else if (call.type() == DType.F32) {
                code.pairs(v.data(), offset, v.rowOffset(1), KEYS / 2, width, words, 0);
            } else {
                code.pairsOfWords(v.data(), offset, v.rowOffset(1), KEYS / 2, width, words, 0);
            }
        });
        if (!direct) {
            Arrays.fill(filled, Math.min(present, KEYS) * width, KEYS * width, 0);
            code.pairs(filled, 0, width, KEYS / 2, width, words, 0);
        }
        int column = from / 2;
        for (int row = 0; row < KEYS / 2 && column + row < valueStride; row += SIDE) {
            code.transpose(words, row * width, width, width, to, at + column + row, valueStride);
        }
        for (int row = width; row < valueRows; row++) {
            int begin = at + row * valueStride + column;
            Arrays.fill(to, begin, begin + Math.min(KEYS / 2, valueStride - column), 0);
        }
    }

    private void attend(int pair, int from, float[] k, int kAt, float[] v, int vAt, int worker) {
        int channels = up(headDim, MR);
        int count = Math.min(NR, call.queries() - from);
        MachineSoftmax softmax = cpu.products().pairs().softmax();
        float[] q = cpu.local(worker, Buffer.B_PANEL, NR * width / 2);
        float[] scores = cpu.local(worker, Buffer.SCORES, KEYS * Math.max(NR, width / 2));
        float[] sums = cpu.local(worker, Buffer.SUMS, valueRows * NR);
        float[] state = cpu.local(worker, Buffer.TILE, softmax.stateSize());
        float[] bias = readBias(pair, worker);
        packQueries(pair, from, count, q, worker);
        Arrays.fill(sums, 0, valueRows * NR, 0);
        softmax.reset(state, 0);
        boolean causal = call.shape().causal();
        int present = call.keys(pair);
        int end = up(causal ? Math.min(present, from + count) : present, KEY_UNIT);
        for (int key = 0; key < end; key += KEYS) {
            int n = Math.min(KEYS, end - key);
            int left = kAt + key * width / 2;
            boolean fresh = bias == null && key + n <= present && !(causal && key + n > from);
            if (!fresh) {
                call.startScores(bias, present, key, n, from, count, scores);
            }
            Start start = fresh ? Start.ZERO : Start.SUMS;
            cpu.products().multiplyRows(start, n, depth, k, left, width / 2, q, 0, scores, 0);
            if (call.kept() != null) {
                call.kept().keep(pair, key, n, from, count, scores);
            }
            softmax.run(scores, n, call.shape().scale(), state, 0, sums, 0, channels);
            cpu.products().multiplyRows(Start.SUMS, channels, n / 2, v, vAt + key / 2, valueStride, scores, 0, sums, 0);
        }
        write(pair, from, count, sums, state, worker);
        if (call.kept() != null) {
            call.kept().finish(pair, from, count, call.shape().scale(), scores,
                    cpu.local(worker, Buffer.STATISTICS, OnlineSoftmax.size(NR)));
        }
    }

    /** Queries become right rows, zeros after the last one. */
    private void packQueries(int pair, int from, int count, float[] to, int worker) {
        float[] rows = cpu.local(worker, Buffer.SCORES, KEYS * Math.max(NR, width / 2));
        MemorySegment words = MemorySegment.ofArray(rows);
        call.forQueries(from, count, (stream, token, first, tokens) -> heads.read(stream, Role.Q, pair, token, tokens,
                words, (long) Float.BYTES * (first * width / 2), worker));
        Arrays.fill(rows, count * width / 2, NR * width / 2, 0);
        for (int query = 0; query < NR; query += SIDE) {
            cpu.products().pairs().transpose(rows, query * width / 2, width / 2, width / 2, to, query, NR);
        }
    }

    /** A head's relative bias, divided by what the scores will be multiplied by; null for none. */
    private float[] readBias(int pair, int worker) {
        if (call.relativeBias() == null) {
            return null;
        }
        int n = call.relativeBias().cols();
        float[] bias = call.bias(pair, cpu.local(worker, Buffer.A_PANEL, n));
        for (int i = 0; i < n; i++) {
            bias[i] /= call.shape().scale();
        }
        return bias;
    }

    /** Divides the sums by those of the softmax and stores them. */
    private void write(int pair, int from, int count, float[] sums, float[] state, int worker) {
        MachinePairs code = cpu.products().pairs();
        MachineSoftmax softmax = code.softmax();
        float[] factors = cpu.local(worker, Buffer.STATISTICS, NR);
        for (int i = 0; i < NR; i++) {
            float sum = softmax.sum(state, 0, i);
            factors[i] = sum == 0 ? 0 : 1 / sum;
            if (call.logSums() != null && i < count) {
                call.keepLogSum(pair, from + i, softmax.largest(state, 0, i) * call.shape().scale(), sum);
            }
        }
        for (int row = 0; row < headDim; row++) {
            for (int i = 0; i < NR; i++) {
                sums[row * NR + i] *= factors[i];
            }
        }
        float[] rows = cpu.local(worker, Buffer.SCORES, KEYS * Math.max(NR, width / 2));
        for (int channel = 0; channel < headDim; channel += SIDE) {
            code.transpose(sums, channel * NR, NR, NR, rows, channel, width);
        }
        boolean words = call.type() == DType.BF16;
        if (words) {
            code.rows(rows, 0, width, count, width, null, rows, 0);
        }
        call.forQueries(from, count, (stream, token, first, tokens) -> {
            MemorySegment out = stream.out().data();
            for (int i = 0; i < tokens; i++) {
                long offset = call.offset(stream.out(), pair, token + i);
                if (words) {
                    storeWords(rows, (first + i) * width / 2, out, offset);
                } else {
                    MemorySegment.copy(rows, (first + i) * width, out, FLOAT, offset, headDim);
                }
            }
        });
    }

    /** A head's channels; an odd last one is half a word. */
    private void storeWords(float[] words, int at, MemorySegment to, long offset) {
        int whole = headDim / 2;
        MemorySegment.copy(words, at, to, FLOAT, offset, whole);
        if (headDim % 2 == 1) {
            to.set(SHORT, offset + (long) Float.BYTES * whole, (short) Float.floatToRawIntBits(words[at + whole]));
        }
    }

    private static int up(int n, int step) {
        return Math.ceilDiv(n, step) * step;
    }
}
