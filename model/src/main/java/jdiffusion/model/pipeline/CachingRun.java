package jdiffusion.model.pipeline;

import jdiffusion.model.family.DenoiserRun;
import jdiffusion.tensor.Tensor;

/** A denoiser's run that does not make all evaluations in full. */
interface CachingRun extends DenoiserRun {
    /** Another draw begins. */
    void begin();

    /** Whether the last evaluation was not made in full, of an entry of the batch. */
    boolean skipped(int entry);

    @Override
    default void predict(Tensor latents, float[] times, Tensor out) {
        throw new IllegalStateException("a cache has one time for the whole batch");
    }
}
