package jdiffusion.model.family;

import jdiffusion.model.Compute;

/** What runs in every step, with its weights where a device reads them. */
public interface Denoiser {
    DenoiserConfig config();

    /** Of its ControlNet; null without. */
    ControlTraits control();

    /**
     * Makes ready for one size and batch: takes all memory from the compute's workspace, brings the conditioning to the
     * device and computes what depends on it alone.
     *
     * @throws jdiffusion.tensor.InputException when the size is beyond what the denoiser can do
     */
    DenoiserRun start(Compute compute, DenoiserSetup setup);
}
