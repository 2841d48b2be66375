package jdiffusion.kernels.attention;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdiffusion.kernels.attention.AttentionShape.Norm;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.cpu.Cpu.Buffer;
import jdiffusion.kernels.cpu.Widen;
import jdiffusion.kernels.machine.MachinePairs;
import jdiffusion.kernels.machine.MachinePairs.HeadNorm;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;

/**
 * A head's queries, keys or values as rows of bfloat16, normalised where there is a norm, turned where there is a
 * rotary table, channels filled up with zeros. Rows that need nothing of it are copied; where they have to be filled
 * up, turned or get a LayerNorm, they are widened first.
 */
final class HeadRows {
    /** Rows of rotary tables that are spread at a time. */
    private static final int TABLE_ROWS = 64;

    private final Cpu cpu;
    private AttentionCall call;
    private int headDim;
    private int width;
    /** Rotary tables, spread out over channels. */
    private float[] table;

    HeadRows(Cpu cpu) {
        this.cpu = cpu;
    }

    /**
     * To be called by the thread that starts the workers.
     *
     * @param channels of a row, at least the head's, a multiple of 32
     */
    void begin(AttentionCall given, int channels) {
        call = given;
        headDim = given.shape().headDim();
        width = channels;
        spreadTables();
    }

    void end() {
        call = null;
        table = null;
    }

    /** Bytes of a row. */
    long bytes() {
        return (long) Short.BYTES * width;
    }

    /**
     * Rows of {@code count} tokens of a stream that follow each other.
     *
     * @param count so few that it takes some microseconds
     * @param at    in bytes
     */
    void read(AttentionStream stream, Role role, int pair, int token, int count, MemorySegment to, long at,
              int worker) {
        MachinePairs code = cpu.products().pairs();
        Tensor from = role.of(stream);
        Tensor normWeight = role.norm(stream);
        if (role.rotary(stream) != null || role != Role.V && call.shape().norm() == Norm.LAYER) {
            prepare(stream, role, pair, token, count, to, at, worker);
            return;
        }
        long offset = call.offset(from, pair, token);
        if (width != headDim) {
            float[] filled = cpu.local(worker, Buffer.ROW, count * width);
            gather(from, pair, token, count, filled, 0);
            code.rows(MemorySegment.ofArray(filled), 0, (long) Float.BYTES * width, count, width,
                    norm(normWeight, worker), to, at);
        } else if (call.type() == DType.F32) {
            code.rows(from.data(), offset, from.rowOffset(1), count, width, norm(normWeight, worker), to, at);
        } else if (normWeight != null) {
            code.normedWords(from.data(), offset, from.rowOffset(1), count, width, wordNorm(normWeight, worker), to,
                    at);
        } else {
            for (int i = 0; i < count; i++) {
                MemorySegment.copy(from.data(), offset + i * from.rowOffset(1), to, at + i * bytes(), bytes());
            }
        }
    }

    /** Rows that get a LayerNorm or are turned. */
    private void prepare(AttentionStream stream, Role role, int pair, int token, int count, MemorySegment to, long at,
                         int worker) {
        MachinePairs code = cpu.products().pairs();
        int size = MachinePairs.headsSize(width);
        float[] values = cpu.local(worker, Buffer.ROW, size + count * width);
        code.beginHeads(call.shape().normEps(), headDim, width, values);
        HeadNorm norm = call.shape().norm() == Norm.LAYER ? HeadNorm.LAYER : HeadNorm.NONE;
        Tensor weight = role.norm(stream);
        if (weight != null) {
            norm = HeadNorm.RMS;
            Widen.run(weight.data(), weight.type(), 0, values, size - width, headDim);
        }
        gather(role.of(stream), pair, token, count, values, size);
        boolean turned = role.rotary(stream) != null;
        code.heads(norm, values, count, width, turned ? table : null, turned ? tableAt(stream, token) : 0, to, at);
    }

    /** Where a token's row of the table begins. */
    private int tableAt(AttentionStream wanted, int token) {
        int rows = token;
        for (AttentionStream stream : call.streams()) {
            if (stream == wanted) {
                break;
            }
            rows += tableRows(stream);
        }
        return rows * 2 * width;
    }

    private static int tableRows(AttentionStream stream) {
        return stream.rotary() == null ? 0 : stream.rotary().rows();
    }

    /** The rotary tables of all streams as {@link MachinePairs#heads} takes them. */
    private void spreadTables() {
        int rows = 0;
        for (AttentionStream stream : call.streams()) {
            rows = Math.addExact(rows, tableRows(stream));
        }
        if (rows == 0) {
            return;
        }
        table = cpu.shared(Buffer.ROW, Math.multiplyExact(rows, 2 * width));
        for (AttentionStream stream : call.streams()) {
            cpu.workers().run(Math.ceilDiv(tableRows(stream), TABLE_ROWS), (item, worker) -> {
                float[] row = cpu.local(worker, Buffer.ROW, headDim);
                int end = Math.min(tableRows(stream), (item + 1) * TABLE_ROWS);
                for (int token = item * TABLE_ROWS; token < end; token++) {
                    stream.rotary().read(token, 0, headDim, row, 0);
                    spread(row, tableAt(stream, token));
                }
            });
        }
    }

    private void spread(float[] row, int at) {
        Arrays.fill(table, at, at + 2 * width, 0);
        for (int i = 0; i < headDim; i += 2) {
            int cosine = at + MachinePairs.cosineAt(i);
            int sine = cosine + MachinePairs.SIDE;
            table[cosine] = row[i];
            table[cosine + 1] = row[i];
            table[sine] = -row[i + 1];
            table[sine + 1] = row[i + 1];
        }
    }

    /** The parameters of a norm as {@link MachinePairs#rows} takes them; null for none. */
    private float[] norm(Tensor weight, int worker) {
        if (weight == null) {
            return null;
        }
        int head = MachinePairs.NORM_HEAD;
        float[] norm = cpu.local(worker, Buffer.STATISTICS, head + width);
        Arrays.fill(norm, 0, head / 2, 1f / headDim);
        Arrays.fill(norm, head / 2, head, call.shape().normEps());
        Widen.run(weight.data(), weight.type(), 0, norm, head, headDim);
        Arrays.fill(norm, head + headDim, head + width, 0);
        return norm;
    }

    /** The same as {@link MachinePairs#normedWords} takes them, and behind them the weight. */
    private float[] wordNorm(Tensor weight, int worker) {
        int size = MachinePairs.wordNormSize(width);
        float[] norm = cpu.local(worker, Buffer.STATISTICS, size + width);
        Widen.run(weight.data(), weight.type(), 0, norm, size, width);
        cpu.products().pairs().wordNorm(1f / width, call.shape().normEps(), norm, size, width, norm);
        return norm;
    }

    /** A head's channels of tokens in float32, filled up with zeros. */
    void gather(Tensor from, int pair, int token, int count, float[] to, int at) {
        for (int i = 0; i < count; i++) {
            int row = at + i * width;
            call.read(from, pair, token + i, to, row);
            Arrays.fill(to, row + headDim, row + width, 0);
        }
    }
}
