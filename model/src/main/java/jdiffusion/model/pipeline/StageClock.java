package jdiffusion.model.pipeline;

import java.time.Duration;
import jdiffusion.model.family.Progress;
import jdiffusion.model.stage.StageMemory;

/** Times a visible part of a run, and reports it with the most memory that its components took. */
final class StageClock {
    private final Progress.Stage stage;
    private final Progress progress;
    private final long start = System.nanoTime();
    private long bytes;

    StageClock(Progress.Stage stage, int units, Progress progress) {
        this.stage = stage;
        this.progress = progress;
        progress.started(stage, units);
    }

    void used(StageMemory memory) {
        bytes = Math.max(bytes, memory.mapped() + memory.peak());
        progress.used(stage, memory);
    }

    void stop() {
        progress.finished(stage, Duration.ofNanos(System.nanoTime() - start), bytes);
    }
}
