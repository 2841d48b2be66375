package jdiffusion.model.family;

import java.time.Duration;
import java.util.function.Supplier;
import jdiffusion.model.stage.StageMemory;

/** Follows a pipeline. All methods are called on the thread that runs it; the defaults do nothing. */
public interface Progress {
    /** Follows nothing. */
    Progress NONE = new Progress() {
    };

    /** The visible parts of a run, in order. */
    enum Stage { ENCODE_TEXT, ENCODE_IMAGE, DENOISE, DECODE }

    /** @param units steps that {@link #step} will report, or 0 */
    default void started(Stage stage, int units) {
    }

    /** What is drawn next has latents of this size; it comes before the stage of its steps. */
    default void latents(int height, int width) {
    }

    /**
     * An evaluation of the denoiser is done.
     *
     * @param done    evaluations so far, of all pictures
     * @param latents the latents now, [batch, channels, h/8, w/8]; copied from the device when asked for
     */
    default void step(int done, Supplier<float[]> latents) {
    }

    /**
     * A tensor of the run by its name in reference data: {@code latents.start} before the first evaluation,
     * {@code model_input.N}, {@code noise.N} that a step draws, N evaluations after the first.
     *
     * @param values copied from the device when asked for
     */
    default void see(String name, Supplier<float[]> values) {
    }

    /**
     * What an evaluation gave with all guidance; it comes before its {@link #step}.
     *
     * @param prediction [batch, channels, h/8, w/8]; copied from the device when asked for
     */
    default void predicted(Supplier<float[]> prediction) {
    }

    /**
     * A step cache saved something in the evaluation before the next {@link #step}.
     *
     * @param evaluation counted from 0 in each draw
     */
    default void skipped(int evaluation, SkippedEvaluation what) {
    }

    /** A component has run. */
    default void used(Stage stage, StageMemory memory) {
    }

    /** @param bytes the most memory of the stage: weights and temporaries */
    default void finished(Stage stage, Duration time, long bytes) {
    }

    /** Something the user should know, one line: text that an encoder had to cut, say. */
    default void note(String line) {
    }

    /** Asked after each evaluation; true ends the run with a {@link java.util.concurrent.CancellationException}. */
    default boolean cancelled() {
        return false;
    }
}
