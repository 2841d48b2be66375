package jdiffusion.kernels.attention;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdiffusion.kernels.attention.AttentionShape.Norm;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.cpu.Cpu.Buffer;
import jdiffusion.kernels.cpu.Widen;
import jdiffusion.kernels.machine.MachinePairs;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;

/**
 * A head's queries, keys or values as rows of bfloat16, normalised where there is a norm, channels filled up with
 * zeros. Rows that need nothing of it are copied; where they have to be filled up, they are widened first.
 */
final class HeadRows {
    private final Cpu cpu;
    private AttentionCall call;
    private int headDim;
    private int width;

    HeadRows(Cpu cpu) {
        this.cpu = cpu;
    }

    /** @param channels of a row, at least the head's, a multiple of 32 */
    void begin(AttentionCall given, int channels) {
        call = given;
        headDim = given.shape().headDim();
        width = channels;
    }

    void end() {
        call = null;
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

    private void prepare(AttentionStream stream, Role role, int pair, int token, int count, MemorySegment to, long at,
                         int worker) {
        float[] filled = cpu.local(worker, Buffer.ROW, count * width);
        float[] row = cpu.local(worker, Buffer.STATISTICS, HeadMath.size(headDim));
        HeadMath.begin(stream, role, row, headDim);
        for (int i = 0; i < count; i++) {
            call.read(role.of(stream), pair, token + i, row, 0);
            HeadMath.apply(call.shape(), stream, role, token + i, row);
            System.arraycopy(row, 0, filled, i * width, headDim);
            Arrays.fill(filled, i * width + headDim, (i + 1) * width, 0);
        }
        cpu.products().pairs().rows(MemorySegment.ofArray(filled), 0, (long) Float.BYTES * width, count, width, null,
                to, at);
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
