package jdiffusion.model.pipeline;

import java.util.List;
import jdiffusion.model.Trace;
import jdiffusion.model.family.DenoiserRun;
import jdiffusion.tensor.Tensor;

/**
 * Each entry of a batch by itself, as {@link jdiffusion.model.cache.StepCache.FirstBlock} needs it: whether an entry's
 * blocks are left out is not to depend on the others.
 */
record SplitRun(List<DenoiserRun> runs, Trace trace) implements CachingRun {
    @Override
    public void begin() {
        runs.forEach(run -> run.cache().begin());
    }

    @Override
    public boolean skipped(int entry) {
        return runs.get(entry).cache().skipped();
    }

    @Override
    public void controlStrength(float strength) {
        runs.forEach(run -> run.controlStrength(strength));
    }

    @Override
    public void predict(Tensor latents, float time, Tensor out) {
        for (int i = 0; i < runs.size(); i++) {
            trace.entry(i);
            runs.get(i).predict(latents.slice(i, i + 1), time, out.slice(i, i + 1));
        }
        trace.entry(-1);
    }
}
