package jdiffusion.model.nn;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.linear.LinearCall;
import jdiffusion.model.Trace;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;

/**
 * The projections of the vector that conditions a network's layers, such as those of adaLN, for as many steps at once
 * as {@link #MOST_BYTES} hold: they depend on the timestep and the pooled text alone, and with few rows such a product
 * only reads its weights, a large part of all the network has. A block's are computed when it first needs them in a
 * group of steps, so blocks that pass through slots of a device's memory are read when they are there.
 */
public final class StepModulations {
    /** What the projections of one group may take; a single step may take more. */
    public static final long MOST_BYTES = 64L << 20;

    private final TimeTextEmbedding embedding;
    private final Backend backend;
    private final int batch;
    private final float[] times;
    private final int most;
    private final Tensor timestep;
    private final Tensor sinusoid;
    private final Tensor hidden;
    private final Tensor text;
    private final Tensor conditioning;
    private final Tensor conditioningSilu;
    /** Zeros. */
    private final Tensor firstRows;
    private final List<Projected> layers = new ArrayList<>();
    /** Of the group that is there; empty when there is none. */
    private float[] group = {};
    private int step;

    /** What a projection gives: some parts of one width. */
    public record Parts(int count, int width) {
        /** A layer whose projections give so many parts, all of one width. */
        public static List<Parts> of(int width, int... counts) {
            return Arrays.stream(counts).mapToObj(count -> new Parts(count, width)).toList();
        }

        int size() {
            return count * width;
        }
    }

    /** A layer's projections, [steps * batch, size] each, and of each step the parts as views [batch, width]. */
    private static final class Projected {
        private final Tensor[] all;
        private final Tensor[][][] parts;
        private boolean there;

        Projected(Workspace w, int steps, int batch, List<Parts> layer) {
            all = new Tensor[layer.size()];
            parts = new Tensor[steps][layer.size()][];
            for (int i = 0; i < layer.size(); i++) {
                int count = layer.get(i).count;
                int width = layer.get(i).width;
                all[i] = w.f32(steps * batch, count * width);
                for (int s = 0; s < steps; s++) {
                    Tensor rows = all[i].slice(s * batch, (s + 1) * batch);
                    parts[s][i] = new Tensor[count];
                    for (int p = 0; p < count; p++) {
                        parts[s][i][p] = rows.columns(p * width, (p + 1) * width);
                    }
                }
            }
        }
    }

    /**
     * @param batch     images times guidance branches
     * @param given     timesteps in the order in which they will be asked for; others may be, at the price of a group
     *                  for each
     * @param d         width of the conditioning vector
     * @param partsOf   for each layer what each of its projections gives
     * @param mostBytes {@link #MOST_BYTES}
     */
    public StepModulations(TimeTextEmbedding embedding, Backend backend, Workspace w, int d, int batch, float[] given,
                           List<List<Parts>> partsOf, long mostBytes) {
        this.embedding = embedding;
        this.backend = backend;
        this.batch = batch;
        times = distinct(given);
        long size = partsOf.stream().flatMap(List::stream).mapToLong(Parts::size).sum();
        long bytes = Math.max(1, size * Float.BYTES * batch);
        most = Math.clamp(mostBytes / bytes, 1, Math.max(1, times.length));
        int rows = most * batch;
        timestep = w.f32(rows);
        sinusoid = w.operand(rows, embedding.channels());
        hidden = w.operand(rows, d);
        text = embedding.text() == null ? null : w.f32(batch, d);
        conditioning = w.f32(rows, d);
        conditioningSilu = w.operand(rows, d);
        firstRows = w.allocate(DType.I32, rows);
        backend.upload(new int[rows], firstRows);
        partsOf.forEach(layer -> layers.add(new Projected(w, most, batch, layer)));
    }

    /** Without repetitions that follow each other, as Heun's method has them. */
    private static float[] distinct(float[] given) {
        float[] some = new float[given.length];
        int count = 0;
        for (float time : given) {
            if (count == 0 || some[count - 1] != time) {
                some[count++] = time;
            }
        }
        return Arrays.copyOf(some, count);
    }

    /** @param pooled embedding of the text, [batch, pooledDim], for all later steps */
    public void setText(Tensor pooled) {
        embedding.text().apply(backend, pooled, hidden.slice(0, batch), Epilogue.STORE, text);
        group = new float[0];
    }

    /** Goes to a step whose timestep is the same for the whole batch. */
    public void select(float time) {
        step = indexOf(group, time);
        if (step < 0) {
            int from = indexOf(times, time);
            float[] next = from < 0 ? new float[] {time}
                    : Arrays.copyOfRange(times, from, Math.min(from + most, times.length));
            float[] rows = new float[next.length * batch];
            for (int i = 0; i < rows.length; i++) {
                rows[i] = next[i / batch];
            }
            begin(next, rows);
        }
    }

    /** Goes to a step with a timestep for each entry of the batch. */
    public void select(float[] timesteps) {
        begin(new float[] {Float.NaN}, timesteps);
    }

    private static int indexOf(float[] values, float value) {
        for (int i = 0; i < values.length; i++) {
            if (values[i] == value) {
                return i;
            }
        }
        return -1;
    }

    private void begin(float[] next, float[] rows) {
        group = next;
        step = 0;
        Tensor at = timestep.slice(0, rows.length);
        backend.upload(rows, at);
        for (int s = 0; text != null && s < next.length; s++) {
            backend.activate(Activation.NONE, text, conditioning.slice(s * batch, (s + 1) * batch));
        }
        embedding.apply(backend, at, sinusoid.slice(0, rows.length), hidden.slice(0, rows.length),
                conditioning.slice(0, rows.length), conditioningSilu.slice(0, rows.length));
        layers.forEach(layer -> layer.there = false);
    }

    /** The text's part of that vector, [batch, d]; null where no text takes part. */
    public Tensor text() {
        return text;
    }

    /** The vector that conditions the blocks in this step, [batch, d]. */
    public Tensor conditioning() {
        return conditioning.slice(step * batch, (step + 1) * batch);
    }

    /** Shows the vector; when it is changed, all that depends on it is computed from what it is now. */
    public void show(Trace trace, String module) {
        if (trace.see("conditioning", module, conditioning())) {
            backend.activate(Activation.SILU, conditioning(), conditioningSilu.slice(step * batch,
                    (step + 1) * batch));
            layers.forEach(layer -> layer.there = false);
            // The next step, which may have the same time, starts from the vector as it was.
            Arrays.fill(group, Float.NaN);
        }
    }

    /**
     * A layer's modulation in this step.
     *
     * @param projections as many as the layer was said to have
     * @return for each projection its parts, [batch, d] each
     */
    public Tensor[][] of(int layer, Linear... projections) {
        return of(layer, null, projections);
    }

    /**
     * The same of a layer with one projection into one part, with something added.
     *
     * @param added [width], the same for each step
     * @return [batch, width]
     */
    public Tensor plus(int layer, Linear projection, Tensor added) {
        return of(layer, added, projection)[0][0];
    }

    private Tensor[][] of(int layer, Tensor added, Linear... projections) {
        Projected projected = layers.get(layer);
        if (!projected.there) {
            int rows = group.length * batch;
            List<LinearCall> calls = new ArrayList<>(projections.length);
            for (int i = 0; i < projections.length; i++) {
                calls.add(projections[i].call(conditioningSilu.slice(0, rows), Epilogue.STORE,
                        projected.all[i].slice(0, rows)));
            }
            backend.linear(calls);
            if (added != null) {
                backend.embedding(firstRows.slice(0, rows), added.reshape(1, added.cols()), true,
                        projected.all[0].slice(0, rows));
            }
            projected.there = true;
        }
        return projected.parts[step];
    }
}
