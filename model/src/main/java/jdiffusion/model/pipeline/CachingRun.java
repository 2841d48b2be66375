package jdiffusion.model.pipeline;

import jdiffusion.model.family.DenoiserRun;

/** A denoiser's run that does not make all evaluations in full. */
interface CachingRun extends DenoiserRun {
    /** Another draw begins. */
    void begin();

    /** Whether the last evaluation was not made in full, of an entry of the batch. */
    boolean skipped(int entry);

    @Override
    default void predict(jdiffusion.tensor.Tensor latents, float[] times, jdiffusion.tensor.Tensor out) {
        throw new IllegalStateException("a cache has one time for the whole batch");
    }
}
