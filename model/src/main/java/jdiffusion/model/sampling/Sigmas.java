package jdiffusion.model.sampling;

import jdiffusion.tensor.InputException;

/**
 * The noise levels of one run and the times at which the denoiser is asked, in order.
 *
 * <p>With n evaluations there are n + 1 noise levels: evaluation i goes from sigma(i) to sigma(i + 1), and the last
 * level is 0. The denoiser's time is sigma times the number of training timesteps.
 */
public final class Sigmas {
    /** More steps than this cannot help and would only hide a slip of the keyboard. */
    public static final int MAX_STEPS = 10_000;

    private final float[] sigmas;
    private final float[] timesteps;
    private final int evaluationsPerStep;

    private Sigmas(float[] sigmas, float[] timesteps, int evaluationsPerStep) {
        this.sigmas = sigmas;
        this.timesteps = timesteps;
        this.evaluationsPerStep = evaluationsPerStep;
    }

    /**
     * The levels of {@code steps} steps with one evaluation each.
     *
     * @param imageTokens number of the denoiser's image tokens (patches); counts only for dynamic shifting
     * @throws InputException if {@code steps} is not in 1..{@value #MAX_STEPS}, or the configuration gives no usable
     *     shift for this image size
     */
    public static Sigmas of(SigmaSchedule schedule, int steps, SchedulerConfig config, int imageTokens) {
        if (steps < 1 || steps > MAX_STEPS) {
            throw new InputException(steps + " steps are asked for; use 1 to " + MAX_STEPS);
        }
        int trainTimesteps = config.numTrainTimesteps();
        var spread = schedule.spread(steps, config.shiftFor(imageTokens), config.shiftTerminal(), trainTimesteps);
        var sigmas = new float[steps + 1];
        var timesteps = new float[steps];
        for (int i = 0; i < steps; i++) {
            sigmas[i] = (float) spread[i];
            timesteps[i] = sigmas[i] * trainTimesteps;
        }
        return new Sigmas(sigmas, timesteps, 1);
    }

    /**
     * The same steps for Heun's method as diffusers' {@code FlowMatchHeunDiscreteScheduler} lists them: every level
     * but the first and the final 0 twice, since a step asks the denoiser at both of its ends. The last step has no
     * second evaluation.
     */
    public Sigmas heun() {
        if (evaluationsPerStep == 2) {
            throw new IllegalStateException("the levels are those of Heun's method already");
        }
        int evaluations = 2 * timesteps.length - 1;
        var doubled = new float[evaluations + 1];
        var times = new float[evaluations];
        for (int i = 0; i < evaluations; i++) {
            doubled[i] = sigmas[(i + 1) / 2];
            times[i] = timesteps[(i + 1) / 2];
        }
        return new Sigmas(doubled, times, 2);
    }

    /** How often the denoiser is asked; guidance, which asks with and without a prompt, counts as once. */
    public int evaluations() {
        return timesteps.length;
    }

    /** The noise level before evaluation {@code i}; the one after the last evaluation is 0. */
    public float sigma(int i) {
        return sigmas[i];
    }

    /** The denoiser's time at evaluation {@code i}. */
    public float timestep(int i) {
        return timesteps[i];
    }

    /** A copy of all noise levels, one more than there are evaluations. */
    public float[] toArray() {
        return sigmas.clone();
    }

    /**
     * The first evaluation when an image is given and only a part of the steps is run, as diffusers' SD3 image-to-
     * image and inpainting pipelines count: 0 for strength 1, and at least the last step is always run.
     *
     * @throws InputException if {@code strength} is not above 0 and at most 1
     */
    public int start(double strength) {
        if (!(strength > 0 && strength <= 1)) {
            throw new InputException("strength is " + strength + "; use a number above 0 and at most 1");
        }
        int steps = (timesteps.length + evaluationsPerStep - 1) / evaluationsPerStep;
        int first = (int) (steps - Math.min(steps * strength, steps));
        return Math.min(first, steps - 1) * evaluationsPerStep;
    }
}
