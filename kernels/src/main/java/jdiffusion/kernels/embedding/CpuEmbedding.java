package jdiffusion.kernels.embedding;

import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.function.IntUnaryOperator;
import jdiffusion.kernels.Operands;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.cpu.Cpu.Buffer;
import jdiffusion.kernels.cpu.Elements;
import jdiffusion.kernels.cpu.Widen;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;

/** Rows looked up in a table, and the sinusoidal embedding of timesteps. */
public final class CpuEmbedding {
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int FLOATS_PER_ITEM = 16384;
    static final float MINUS_LOG_MAX_PERIOD = (float) -Math.log(10000);

    private final Cpu cpu;

    public CpuEmbedding(Cpu cpu) {
        this.cpu = cpu;
    }

    /** See {@link jdiffusion.kernels.Backend#embedding}; an id outside the table fails before anything is written. */
    public void embedding(Tensor ids, Tensor table, boolean add, Tensor out) {
        Operands.float32OrBf16("embedding", out);
        check(ids, table, out);
        checkIds(r -> id(ids, r), table, out);
        int rows = out.rows();
        int c = out.cols();
        int perItem = Math.max(1, FLOATS_PER_ITEM / Math.max(1, c));
        cpu.workers().run(Math.ceilDiv(rows, perItem), (item, worker) -> {
            float[] v = cpu.local(worker, Buffer.ROW, c);
            int end = Math.min(rows, (item + 1) * perItem);
            for (int r = item * perItem; r < end; r++) {
                Widen.run(table.data(), table.type(), table.rowOffset(id(ids, r)), v, 0, c);
                if (add) {
                    float[] sum = cpu.local(worker, Buffer.SUMS, c);
                    Elements.read(out, (long) r * c, c, sum, 0);
                    add(v, sum, c);
                }
                Elements.write(v, 0, out, (long) r * c, c);
            }
        });
    }

    /**
     * See {@link jdiffusion.kernels.Backend#timestepEmbedding}. Rounded to float32 where diffusers'
     * {@code get_timestep_embedding} rounds: exponent, frequency and angle. An angle of 1000 has an error of 3e-5 from
     * that alone, so a more exact one would be a different embedding.
     */
    public void timestepEmbedding(Tensor t, Tensor out) {
        Operands.float32OrBf16("timestepEmbedding", out);
        checkTimesteps(t, out);
        int c = out.cols();
        int half = c / 2;
        float[] frequencies = cpu.shared(Buffer.TILE, half);
        for (int i = 0; i < half; i++) {
            frequencies[i] = (float) Math.exp(MINUS_LOG_MAX_PERIOD * i / half);
        }
        float[] v = cpu.shared(Buffer.ROW, c);
        for (int r = 0; r < out.rows(); r++) {
            float time = t.get(0, r);
            for (int i = 0; i < half; i++) {
                float angle = time * frequencies[i];
                v[i] = (float) Math.cos(angle);
                v[half + i] = (float) Math.sin(angle);
            }
            Elements.write(v, 0, out, (long) r * c, c);
        }
    }

    static void checkTimesteps(Tensor t, Tensor out) {
        Operands.float32("timestepEmbedding", t);
        Operands.activations("timestepEmbedding", out);
        if (t.shape().size() != out.rows() || !t.isContiguous() || out.cols() % 2 != 0) {
            throw Operands.mismatch("timestepEmbedding", "a row of even size for each timestep", t, out);
        }
    }

    static void check(Tensor ids, Tensor table, Tensor out) {
        Operands.activations("embedding", out);
        if (!table.type().isFloat() || table.shape().rank() != 2 || table.cols() != out.cols()) {
            throw Operands.mismatch("embedding", "a table with as many channels as out", table, out);
        }
        if (ids != null && (ids.type() != DType.I32 || ids.shape().size() != out.rows() || !ids.isContiguous())) {
            throw Operands.mismatch("embedding", "an I32 id for each row of out", ids, out);
        }
    }

    /** @param ids the id of a row of out */
    static void checkIds(IntUnaryOperator ids, Tensor table, Tensor out) {
        for (int r = 0; r < out.rows(); r++) {
            int id = ids.applyAsInt(r);
            if (id < 0 || id >= table.rows()) {
                throw Operands.mismatch("embedding", "ids in the table, not " + id + " in row " + r, table, out);
            }
        }
    }

    private static int id(Tensor ids, int row) {
        return ids == null ? row : ids.data().get(INT, (long) row * Integer.BYTES);
    }

    private static void add(float[] v, float[] sum, int n) {
        for (int i = 0; i < n; i++) {
            v[i] += sum[i];
        }
    }
}
