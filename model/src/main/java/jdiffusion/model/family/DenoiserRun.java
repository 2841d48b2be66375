package jdiffusion.model.family;

import jdiffusion.model.nn.FirstBlockCache;
import jdiffusion.tensor.Tensor;

/** A denoiser set up for one size, batch and conditioning: the loop over steps allocates nothing. */
public interface DenoiserRun {
    /**
     * The network's output: velocity, noise or whatever it was trained to predict.
     *
     * @param latents [batch, inChannels, height, width], scaled as the network wants them
     * @param time    the network's own, the same for the whole batch
     * @param out     [batch, outChannels, height, width], written
     */
    void predict(Tensor latents, float time, Tensor out);

    /** The same with a time for each entry of the batch; nothing is kept for the next call. */
    void predict(Tensor latents, float[] times, Tensor out);

    /** What decides whether blocks are left out; null where all of them always run. */
    default FirstBlockCache cache() {
        return null;
    }

    /** Factor of what the ControlNet adds; 0, as at first, leaves it out. */
    default void controlStrength(float strength) {
        throw new IllegalStateException("this denoiser has no ControlNet");
    }
}
