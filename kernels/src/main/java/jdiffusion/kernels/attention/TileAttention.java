package jdiffusion.kernels.attention;

import static jdiffusion.kernels.machine.AmxAttention.KEYS;
import static jdiffusion.kernels.machine.AmxAttention.MASKED;
import static jdiffusion.kernels.machine.AmxPanels.DEPTH;
import static jdiffusion.kernels.machine.AmxPanels.HALF_STEP_BYTES;
import static jdiffusion.kernels.machine.AmxPanels.PACKED_ROWS;
import static jdiffusion.kernels.machine.AmxPanels.SIDE;
import static jdiffusion.kernels.machine.AmxPanels.STEP_BYTES;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.cpu.Cpu.Buffer;
import jdiffusion.kernels.cpu.Widen;
import jdiffusion.kernels.machine.AmxAttention;
import jdiffusion.kernels.machine.AmxPanels;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;

/**
 * Attention on AMX's tiles: queries are rows, 32 of them at a time, keys lie side by side; see {@link AmxAttention}. A
 * head's keys and values are packed once, in chunks of {@link AmxAttention#KEYS}. A work item is then a head and 32
 * queries, and goes through all chunks in a call of machine code or two.
 *
 * <p>Channels are filled up with zeros to a multiple of 32. A causal mask is a bias that keeps later keys out.
 */
final class TileAttention {
    /** Bytes of packed keys and values held at once, unless one head alone needs more. */
    private static final long PACKED = 32 << 20;
    /** Channels up to which one query block's numbers fit a second-level cache beside the keys. */
    private static final int MOST_CHANNELS = 1024;
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final Cpu cpu;
    private final HeadRows heads;
    private AttentionCall call;
    private int width;
    private int steps;
    private long headBytes;
    private int keys;
    private MemorySegment packed;

    TileAttention(Cpu cpu) {
        this.cpu = cpu;
        heads = new HeadRows(cpu);
    }

    boolean takes(AttentionShape shape) {
        return cpu.products().amx() != null && cpu.products().inPairs() && shape.headDim() <= MOST_CHANNELS
                && shape.scale() < AmxAttention.MOST_SCALE;
    }

    void run(AttentionCall given) {
        call = given;
        width = up(call.shape().headDim(), DEPTH);
        steps = width / DEPTH;
        keys = up(call.keys(), SIDE);
        headBytes = AmxAttention.packedBytes(keys, width);
        heads.begin(call, width);
        int pairs = call.pairs();
        int held = Math.ceilDiv(pairs, Math.ceilDiv(pairs, Math.clamp(PACKED / headBytes, 1, pairs)));
        packed = cpu.sharedMemory(Buffer.A_PANEL, held * headBytes);
        int chunks = Math.ceilDiv(keys, KEYS);
        int blocks = Math.ceilDiv(call.queries(), SIDE);
        for (int first = 0; first < pairs; first += held) {
            int start = first;
            int count = Math.min(held, pairs - start);
            cpu.workers().run(count * chunks,
                    (item, worker) -> pack(start + item / chunks, item / chunks, item % chunks * KEYS, worker));
            cpu.workers().run(count * blocks,
                    (item, worker) -> attend(start + item / blocks, item / blocks, item % blocks * SIDE, worker));
        }
        heads.end();
        call = null;
    }

    /** Where the chunk from a key on begins in what is packed. */
    private long at(int slot, int key) {
        return slot * headBytes + AmxAttention.packedBytes(key, width);
    }

    /** Keys and values of a chunk, zeros behind the last. */
    private void pack(int pair, int slot, int from, int worker) {
        AmxPanels code = cpu.products().amx();
        int count = Math.min(KEYS, up(call.keys(pair), SIDE) - from);
        if (count <= 0) {
            return;
        }
        long at = at(slot, from);
        long row = heads.bytes();
        MemorySegment rows = cpu.localMemory(worker, Buffer.ROW, KEYS * row);
        rows(Role.K, pair, from, count, rows, worker);
        for (int key = 0; key < count; key += PACKED_ROWS) {
            code.packColumns(rows, key * row, row, steps, packed,
                    at + (long) key / SIDE * steps * STEP_BYTES + key % SIDE / PACKED_ROWS * HALF_STEP_BYTES);
        }
        rows(Role.V, pair, from, count, rows, worker);
        at += AmxAttention.packedBytes(count, width) / 2;
        for (int step = 0; step < count / DEPTH; step++) {
            code.packRows(rows, step * DEPTH * row, row, steps, packed, at + (long) step * STEP_BYTES,
                    (long) count / DEPTH * STEP_BYTES);
        }
    }

    /** Tokens {@code from} to {@code from + count}, their keys or values. */
    private void rows(Role role, int pair, int from, int count, MemorySegment to, int worker) {
        call.forKeys(pair, from, count, (stream, token, at, tokens) -> heads.read(stream, role, pair, token, tokens, to,
                at * heads.bytes(), worker));
        clear(to, Math.max(0, call.keys(pair) - from), count);
    }

    private void clear(MemorySegment rows, int from, int to) {
        if (from < to) {
            rows.asSlice(from * heads.bytes(), (to - from) * heads.bytes()).fill((byte) 0);
        }
    }

    private void attend(int pair, int slot, int from, int worker) {
        AmxAttention code = cpu.products().amx().attention();
        int count = Math.min(SIDE, call.queries() - from);
        boolean biased = call.shape().causal() || call.relativeBias() != null;
        int bias = biased ? biasSize() : 0;
        MemorySegment block = cpu.localMemory(worker, Buffer.SCORES, AmxAttention.size(width, bias));
        queries(pair, from, count, block, worker);
        if (biased) {
            bias(pair, block, worker);
        }
        code.reset(block, width);
        int present = call.keys(pair);
        int end = up(call.shape().causal() ? Math.min(present, up(from + count, KEYS)) : present, SIDE);
        int whole = Math.min(end, present) / KEYS * KEYS;
        float scale = call.shape().scale();
        int most = AmxAttention.mostChunks(width);
        for (int key = 0; key < whole; key += most * KEYS) {
            int chunks = Math.min(most, (whole - key) / KEYS);
            code.attend(block, width, packed, at(slot, key), chunks, scale, biased ? biasOf(from, key) : -1);
        }
        if (whole < end) {
            code.attendLast(block, width, packed, at(slot, whole), end - whole, Math.max(0, end - present), scale,
                    biased ? biasOf(from, whole) : -1);
        }
        write(pair, from, count, block, worker);
    }

    private void queries(int pair, int from, int count, MemorySegment block, int worker) {
        MemorySegment rows = block.asSlice(AmxAttention.queriesAt());
        call.forQueries(from, count, (stream, token, at, tokens) -> heads.read(stream, Role.Q, pair, token, tokens,
                rows, at * heads.bytes(), worker));
        clear(rows, count, SIDE);
    }

    /** Numbers of bias, for all distances of a query and a key and those that are none. */
    private int biasSize() {
        return 2 * (keys + SIDE);
    }

    /** Where the bias of a query and a key lies. */
    private int biasOf(int query, int key) {
        return SIDE + key - query + call.keys() - 1;
    }

    /**
     * What is added to scores by the distance of key and query, divided by what they will be multiplied by, with room
     * for queries and keys that are none.
     */
    private void bias(int pair, MemorySegment block, int worker) {
        int n = 2 * call.keys() - 1;
        int size = biasSize();
        float[] bias = cpu.local(worker, Buffer.SCORES, size);
        Arrays.fill(bias, 0, size, 0);
        if (call.relativeBias() != null) {
            Tensor stored = call.relativeBias();
            Widen.run(stored.data(), stored.type(), stored.rowOffset(pair % call.shape().heads()), bias, SIDE, n);
            for (int i = SIDE; i < SIDE + n; i++) {
                bias[i] /= call.shape().scale();
            }
        }
        if (call.shape().causal()) {
            Arrays.fill(bias, biasOf(0, 1), size, MASKED);
        }
        MemorySegment.copy(bias, 0, block, FLOAT, AmxAttention.biasAt(width), size);
    }

    /** Divides the sums by those of the softmax and stores them. */
    private void write(int pair, int from, int count, MemorySegment block, int worker) {
        AmxAttention code = cpu.products().amx().attention();
        for (int i = 0; call.logSums() != null && i < count; i++) {
            call.keepLogSum(pair, from + i, AmxAttention.largest(block, i) * call.shape().scale(),
                    AmxAttention.sum(block, i));
        }
        boolean words = call.type() == DType.BF16;
        call.forQueries(from, count, (stream, token, at, tokens) -> {
            Tensor out = stream.out();
            long offset = call.offset(out, pair, token);
            if (width == call.shape().headDim()) {
                code.divide(words, block, width, at, tokens, out.data(), offset, out.rowOffset(1));
            } else {
                filled(words, block, at, tokens, out, offset, worker);
            }
        });
    }

    /** Rows of more channels than the head has. */
    private void filled(boolean words, MemorySegment block, int first, int count, Tensor out, long offset, int worker) {
        long type = out.type().bytes();
        MemorySegment rows = cpu.localMemory(worker, Buffer.ROW, SIDE * width * type);
        cpu.products().amx().attention().divide(words, block, width, first, count, rows, 0, width * type);
        for (int i = 0; i < count; i++) {
            MemorySegment.copy(rows, i * width * type, out.data(), offset + i * out.rowOffset(1),
                    call.shape().headDim() * type);
        }
    }

    private static int up(int n, int step) {
        return Math.ceilDiv(n, step) * step;
    }
}
