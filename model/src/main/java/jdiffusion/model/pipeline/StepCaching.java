package jdiffusion.model.pipeline;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import jdiffusion.model.Compute;
import jdiffusion.model.cache.StepCache;
import jdiffusion.model.family.Denoiser;
import jdiffusion.model.family.DenoiserRun;
import jdiffusion.model.family.DenoiserSetup;
import jdiffusion.model.family.Methods;
import jdiffusion.model.family.SkippedEvaluation;
import jdiffusion.tensor.Tensor;

/** Starts a denoiser's runs with the request's cache, or as they are, and knows what they skipped. */
final class StepCaching {
    private final Denoiser denoiser;
    private final Compute compute;
    private final StepCache cache;
    private final boolean report;
    private final List<Watched> runs = new ArrayList<>();
    private final List<SkippedEvaluation> skipped = new ArrayList<>();

    StepCaching(Denoiser denoiser, Compute compute, Methods methods) {
        this.denoiser = denoiser;
        this.compute = compute;
        this.cache = methods.cache();
        this.report = methods.cacheReport();
    }

    /** @param labels of the setup's branches */
    DenoiserRun start(DenoiserSetup setup, String... labels) {
        if (cache == null) {
            return denoiser.start(compute, setup);
        }
        int[] dims = {setup.batch(), denoiser.config().outChannels(), setup.height(), setup.width()};
        CachingRun run = switch (cache) {
            case StepCache.Taylor taylor -> new TaylorRun(taylor, denoiser.start(compute, setup), compute.backend(),
                    compute.workspace(), dims);
            case StepCache.FirstBlock first -> split(setup, first.threshold());
        };
        // Nobody looks at the network that only says how far off the other one is.
        Compute unseen = new Compute(compute.backend(), compute.workspace());
        Watched watched = new Watched(run, List.of(labels), setup.images(),
                report ? denoiser.start(unseen, setup) : null, report ? compute.workspace().f32(dims) : null);
        runs.add(watched);
        return watched;
    }

    private SplitRun split(DenoiserSetup setup, double threshold) {
        List<DenoiserRun> runs = new ArrayList<>();
        for (int i = 0; i < setup.batch(); i++) {
            compute.trace().entry(i);
            runs.add(denoiser.start(compute, setup.alone(i, threshold)));
        }
        compute.trace().entry(-1);
        return new SplitRun(runs, compute.trace());
    }

    /** Another draw begins. */
    void begin() {
        runs.forEach(watched -> watched.run.begin());
        skipped.clear();
    }

    /** What was skipped since the last call. */
    List<SkippedEvaluation> takeSkipped() {
        if (skipped.isEmpty()) {
            return List.of();
        }
        List<SkippedEvaluation> all = List.copyOf(skipped);
        skipped.clear();
        return all;
    }

    /** @param full the same without a cache, where errors are asked for; else null */
    private final class Watched implements DenoiserRun {
        private final CachingRun run;
        private final List<String> labels;
        private final int images;
        private final DenoiserRun full;
        private final Tensor right;

        Watched(CachingRun run, List<String> labels, int images, DenoiserRun full, Tensor right) {
            this.run = run;
            this.labels = labels;
            this.images = images;
            this.full = full;
            this.right = right;
        }

        @Override
        public void controlStrength(float strength) {
            run.controlStrength(strength);
            if (full != null) {
                full.controlStrength(strength);
            }
        }

        @Override
        public void predict(Tensor latents, float[] times, Tensor out) {
            run.predict(latents, times, out);
        }

        @Override
        public void predict(Tensor latents, float time, Tensor out) {
            run.predict(latents, time, out);
            boolean none = IntStream.range(0, labels.size() * images).noneMatch(run::skipped);
            if (none && !compute.counting()) {
                return;
            }
            long before = System.nanoTime();
            if (full != null) {
                compute.backend().finish();
                before = System.nanoTime();
                full.predict(latents, time, right);
            }
            for (int branch = 0; branch < labels.size(); branch++) {
                note(branch, out, before);
                before = System.nanoTime();
            }
        }

        private void note(int branch, Tensor out, long before) {
            int[] entries = IntStream.range(branch * images, (branch + 1) * images).filter(run::skipped).toArray();
            if (entries.length == 0) {
                return;
            }
            double wrong = 0;
            double all = 0;
            for (int i = 0; i < entries.length && full != null; i++) {
                float[] a = compute.backend().download(out.at(entries[i]));
                float[] b = compute.backend().download(right.at(entries[i]));
                for (int k = 0; k < a.length; k++) {
                    wrong += ((double) a[k] - b[k]) * ((double) a[k] - b[k]);
                    all += (double) b[k] * b[k];
                }
            }
            skipped.add(new SkippedEvaluation(labels.get(branch), full == null ? Double.NaN : Math.sqrt(wrong / all),
                    Duration.ofNanos(System.nanoTime() - before)));
        }
    }
}
