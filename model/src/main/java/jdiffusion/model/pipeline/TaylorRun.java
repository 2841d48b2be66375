package jdiffusion.model.pipeline;

import java.util.List;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Backend;
import jdiffusion.model.cache.StepCache;
import jdiffusion.model.family.DenoiserRun;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;

/** {@link StepCache.Taylor}: differences of outputs by the number of evaluations between them, and their sum. */
final class TaylorRun implements CachingRun {
    private final StepCache.Taylor cache;
    private final DenoiserRun run;
    private final Backend backend;
    /** The last output, its difference, and so on: [batch, channels, height, width] each. */
    private final Tensor[] factors;
    private final Tensor[] spare;
    private int calls;
    private int known;
    private int last;
    private boolean skipped;

    /** @param dims of the output */
    TaylorRun(StepCache.Taylor cache, DenoiserRun run, Backend backend, Workspace workspace, int... dims) {
        this.cache = cache;
        this.run = run;
        this.backend = backend;
        this.factors = tensors(workspace, cache.order() + 1, dims);
        this.spare = tensors(workspace, 2, dims);
    }

    private static Tensor[] tensors(Workspace workspace, int count, int... dims) {
        Tensor[] tensors = new Tensor[count];
        for (int i = 0; i < count; i++) {
            tensors[i] = workspace.f32(dims);
        }
        return tensors;
    }

    @Override
    public void begin() {
        calls = 0;
        known = 0;
    }

    @Override
    public boolean skipped(int entry) {
        return skipped;
    }

    @Override
    public void controlStrength(float strength) {
        run.controlStrength(strength);
    }

    @Override
    public void predict(Tensor latents, float time, Tensor out) {
        int i = calls++;
        skipped = !cache.evaluates(i);
        if (skipped) {
            continued(i - last, out);
            return;
        }
        run.predict(latents, time, out);
        keep(i - last, out);
        last = i;
    }

    /** out = sum of factors[k] distance^k / k! */
    private void continued(int distance, Tensor out) {
        float[] weights = new float[known];
        float weight = 1;
        for (int k = 0; k < known; k++) {
            weights[k] = weight;
            weight = weight * distance / (k + 1);
        }
        backend.combine(weights, List.of(factors).subList(0, known), out);
    }

    private void keep(int distance, Tensor out) {
        int before = known;
        known = Math.min(before + 1, factors.length);
        Tensor carried = out;
        for (int k = 0; k < known; k++) {
            Tensor next = spare[k % 2];
            if (k < before && k + 1 < known) {
                backend.combine(new float[] {1f / distance, -1f / distance}, List.of(carried, factors[k]), next);
            }
            backend.activate(Activation.NONE, carried, factors[k]);
            carried = next;
        }
    }
}
