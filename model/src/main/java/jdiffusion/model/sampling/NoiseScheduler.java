package jdiffusion.model.sampling;

/**
 * What a checkpoint's {@code scheduler_config.json}, or a family where there is none, says of sampling: what the
 * network predicts, at which levels it is asked, and which sampler goes over them.
 */
public interface NoiseScheduler {
    /** What the network's output means. */
    Prediction prediction();

    /** The sampler that the file names. */
    SamplerSettings sampler();

    /**
     * The file's own levels of so many steps, before the sampler doubles any.
     *
     * @param imageTokens patches of the picture, which shift some flows
     */
    Sigmas sigmas(int steps, int imageTokens);

    /** The levels of a schedule of the command line, over the range that the model was trained on. */
    Sigmas sigmas(SigmaSchedule schedule, int steps, int imageTokens);

    /**
     * Levels given by hand, falling, without the final 0.
     *
     * @throws jdiffusion.tensor.InputException if they do not fall or lie outside of what the model knows
     */
    Sigmas sigmas(float[] levels);
}
