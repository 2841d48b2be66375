package jdiffusion.cli;

import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;
import jdiffusion.model.family.Progress;
import jdiffusion.model.family.SkippedEvaluation;
import jdiffusion.model.stage.StageMemory;

/** Several followers of one run; a note that comes again, with the next of several pictures, is told once. */
record Followers(List<Progress> all, Set<String> told) implements Progress {
    Followers(List<Progress> all) {
        this(all, new HashSet<>());
    }

    @Override
    public void started(Stage stage, int units) {
        all.forEach(one -> one.started(stage, units));
    }

    @Override
    public void latents(int height, int width) {
        all.forEach(one -> one.latents(height, width));
    }

    @Override
    public void step(int done, Supplier<float[]> latents) {
        all.forEach(one -> one.step(done, latents));
    }

    @Override
    public void see(String name, Supplier<float[]> values) {
        all.forEach(one -> one.see(name, values));
    }

    @Override
    public void predicted(Supplier<float[]> prediction) {
        all.forEach(one -> one.predicted(prediction));
    }

    @Override
    public void skipped(int evaluation, SkippedEvaluation what) {
        all.forEach(one -> one.skipped(evaluation, what));
    }

    @Override
    public void used(Stage stage, StageMemory memory) {
        all.forEach(one -> one.used(stage, memory));
    }

    @Override
    public void finished(Stage stage, Duration time, long bytes) {
        all.forEach(one -> one.finished(stage, time, bytes));
    }

    @Override
    public void note(String line) {
        if (told.add(line)) {
            all.forEach(one -> one.note(line));
        }
    }
}
