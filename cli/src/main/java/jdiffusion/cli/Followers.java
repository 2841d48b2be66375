package jdiffusion.cli;

import java.time.Duration;
import java.util.List;
import java.util.function.Supplier;
import jdiffusion.model.family.Progress;
import jdiffusion.model.stage.StageMemory;

/** Several followers of one run. */
record Followers(List<Progress> all) implements Progress {
    @Override
    public void started(Stage stage, int units) {
        all.forEach(one -> one.started(stage, units));
    }

    @Override
    public void step(int done, Supplier<float[]> latents) {
        all.forEach(one -> one.step(done, latents));
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
        all.forEach(one -> one.note(line));
    }
}
