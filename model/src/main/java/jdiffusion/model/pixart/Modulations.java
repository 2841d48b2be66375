package jdiffusion.model.pixart;

import java.util.Arrays;
import java.util.List;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Epilogue;
import jdiffusion.model.Trace;
import jdiffusion.model.nn.Mlp;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;

/**
 * The times' vectors and their projections, of all times that are known beforehand at once: they depend on nothing
 * else. A step has one row of them for the whole batch, or one for each entry where these have times of their own.
 */
final class Modulations {
    private final AdaLnSingle layer;
    private final Backend backend;
    private final int d;
    private final float[] times;
    /** [rows] and what becomes of them. */
    private final Tensor timestep;
    private final Tensor sinusoid;
    private final Tensor hidden;
    private final Tensor conditioning;
    private final Tensor silu;
    private final Tensor modulation;
    /** [1, d] of the picture's size; null without. */
    private final Tensor sizes;
    /** Zeros. */
    private final Tensor firstRow;
    /** Sums with a table, and their parts: of one row, and of one for each entry of the batch. */
    private final Tensor sum;
    private final Tensor[][] parts;
    /** Of which the rows are there; empty when there are none. */
    private float[] there = {};
    private int first;
    private int rows;

    /** @param given times in the order in which they will be asked for; others may be */
    Modulations(AdaLnSingle layer, Backend backend, Workspace w, int d, int batch, float[] given) {
        this.layer = layer;
        this.backend = backend;
        this.d = d;
        this.times = given.clone();
        int most = Math.max(batch, given.length);
        timestep = w.f32(most);
        sinusoid = w.operand(most, DitConfig.SINUSOIDS);
        hidden = w.operand(most, d);
        conditioning = w.f32(most, d);
        silu = w.operand(most, d);
        modulation = w.f32(most, DitBlock.PARTS * d);
        sizes = layer.resolution() == null ? null : w.f32(1, d);
        firstRow = w.allocate(DType.I32, most);
        backend.upload(new int[most], firstRow);
        sum = w.f32(batch, DitBlock.PARTS * d);
        parts = new Tensor[][] {parts(1), parts(batch)};
    }

    private Tensor[] parts(int count) {
        Tensor[] all = new Tensor[DitBlock.PARTS];
        Arrays.setAll(all, i -> sum.slice(0, count).columns(i * d, (i + 1) * d));
        return all;
    }

    /**
     * Sets the picture's size for all later steps.
     *
     * @param w      for temporaries
     * @param values height, width, and height by width
     */
    void setSizes(Workspace w, float[] values) {
        int last = values.length - 1;
        Tensor all = sizes.reshape(values.length, d / values.length);
        try (var _ = w.scope()) {
            Tensor numbers = w.f32(values.length);
            Tensor waves = w.operand(values.length, DitConfig.SINUSOIDS);
            Tensor inner = w.operand(values.length, d / values.length);
            backend.upload(values, numbers);
            backend.timestepEmbedding(numbers, waves);
            layer.resolution().apply(backend, waves.slice(0, last), inner.slice(0, last), Epilogue.STORE,
                    all.slice(0, last));
            layer.aspectRatio().apply(backend, waves.slice(last, values.length), inner.slice(last, values.length),
                    Epilogue.STORE, all.slice(last, values.length));
        }
        there = new float[0];
    }

    /** Goes to a step whose time is the same for the whole batch. */
    void select(float time) {
        first = indexOf(there, time);
        if (first < 0) {
            there = indexOf(times, time) < 0 ? new float[] {time} : times;
            project(there);
            first = indexOf(there, time);
        }
        rows = 1;
    }

    /** Goes to a step with a time for each entry of the batch. */
    void select(float[] timesteps) {
        there = new float[0];
        project(timesteps);
        first = 0;
        rows = timesteps.length;
    }

    private static int indexOf(float[] values, float value) {
        for (int i = 0; i < values.length; i++) {
            if (values[i] == value) {
                return i;
            }
        }
        return -1;
    }

    private void project(float[] values) {
        int n = values.length;
        Tensor vectors = conditioning.slice(0, n);
        Mlp time = layer.time();
        backend.upload(values, timestep.slice(0, n));
        backend.timestepEmbedding(timestep.slice(0, n), sinusoid.slice(0, n));
        if (sizes != null) {
            backend.embedding(firstRow.slice(0, n), sizes, false, vectors);
        }
        time.apply(backend, sinusoid.slice(0, n), hidden.slice(0, n), sizes == null ? Epilogue.STORE : Epilogue.ADD,
                vectors);
        backend.activate(Activation.SILU, vectors, silu.slice(0, n));
        layer.projection().apply(backend, silu.slice(0, n), modulation.slice(0, n));
    }

    /** The vectors of this step, [rows, d]. */
    Tensor conditioning() {
        return conditioning.slice(first, first + rows);
    }

    /** What is common to all blocks in this step, [rows, 6 d]. */
    Tensor modulation() {
        return modulation.slice(first, first + rows);
    }

    /** Shows both; when the vectors are changed, the modulation is computed from what they are now. */
    void show(Trace trace) {
        boolean changed = trace.see("conditioning", "adaln_single.emb", conditioning());
        if (changed) {
            Tensor now = silu.slice(first, first + rows);
            backend.activate(Activation.SILU, conditioning(), now);
            layer.projection().apply(backend, now, modulation());
        }
        if (trace.see("modulation", "adaln_single.linear", modulation()) || changed) {
            // The next step, which may have the same time, starts from what they were.
            there = new float[0];
        }
    }

    /**
     * This step's modulation of one block.
     *
     * @param table [6, d] of the block
     * @return its parts, [rows, d] each, until the next call
     */
    Tensor[] with(Tensor table) {
        Tensor all = sum.slice(0, rows);
        backend.combine(new float[] {1}, List.of(modulation()), all);
        backend.embedding(firstRow.slice(0, rows), table.reshape(1, DitBlock.PARTS * d), true, all);
        return parts[rows == 1 ? 0 : 1];
    }

    /**
     * Shift and scale of the final norm: the time's vector itself with a table.
     *
     * @param table [2, d]
     * @return the two, [rows, d] each, until the next call
     */
    Tensor[] last(Tensor table) {
        Tensor[] of = parts[rows == 1 ? 0 : 1];
        for (int i = 0; i < Dit.FINAL_PARTS; i++) {
            backend.combine(new float[] {1}, List.of(conditioning()), of[i]);
            backend.embedding(firstRow.slice(0, rows), table.slice(i, i + 1), true, of[i]);
        }
        return of;
    }
}
