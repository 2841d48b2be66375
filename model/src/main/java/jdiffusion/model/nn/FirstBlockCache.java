package jdiffusion.model.nn;

import java.util.List;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Backend;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;

/**
 * What the blocks of a network added to the image's stream in the last evaluation in which all of them ran. The change
 * of what the first one adds is measured on the host, in double precision and in order.
 */
public final class FirstBlockCache {
    private final Backend backend;
    private final double threshold;
    private final Tensor stream;
    /** The stream before the first block, and after it; then what the others add. */
    private final Tensor kept;
    private final Tensor rest;
    private final float[] added;
    private final float[] lastAdded;
    private boolean filled;
    private boolean skipped;

    /**
     * @param stream    [1, n, d] float32, of one picture and branch
     * @param threshold see {@link jdiffusion.model.cache.StepCache.FirstBlock}
     */
    public FirstBlockCache(Backend backend, Workspace workspace, Tensor stream, double threshold) {
        this.backend = backend;
        this.threshold = threshold;
        this.stream = stream;
        this.kept = workspace.f32(stream.shape().dims());
        this.rest = workspace.f32(stream.shape().dims());
        this.added = new float[Math.toIntExact(stream.shape().size())];
        this.lastAdded = new float[added.length];
    }

    /** Forgets what was kept: another picture begins. */
    public void begin() {
        filled = false;
    }

    /** Whether the last evaluation left blocks out. */
    public boolean skipped() {
        return skipped;
    }

    /**
     * Runs the blocks, or the first alone.
     *
     * @param firstBlock updates the stream
     * @param others     likewise
     */
    public void run(Runnable firstBlock, Runnable others) {
        backend.activate(Activation.NONE, stream, kept);
        firstBlock.run();
        backend.combine(new float[] {1, -1}, List.of(stream, kept), kept);
        backend.download(kept, added);
        skipped = filled && change() <= threshold;
        if (skipped) {
            backend.combine(new float[] {1, 1}, List.of(stream, rest), stream);
            return;
        }
        System.arraycopy(added, 0, lastAdded, 0, added.length);
        backend.activate(Activation.NONE, stream, kept);
        others.run();
        backend.combine(new float[] {1, -1}, List.of(stream, kept), rest);
        filled = true;
    }

    /** Mean absolute change by the mean absolute value of before; infinite where that is 0. */
    private double change() {
        double changed = 0;
        double before = 0;
        for (int i = 0; i < added.length; i++) {
            changed += Math.abs((double) added[i] - lastAdded[i]);
            before += Math.abs((double) lastAdded[i]);
        }
        return before > 0 ? changed / before : Double.POSITIVE_INFINITY;
    }
}
