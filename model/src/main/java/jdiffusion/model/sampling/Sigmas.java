package jdiffusion.model.sampling;

import java.util.Arrays;
import java.util.function.DoubleUnaryOperator;
import jdiffusion.tensor.InputException;

/**
 * The noise levels of one run and the times at which the denoiser is asked, in order.
 *
 * <p>With n evaluations there are n + 1 noise levels: evaluation i goes from sigma(i) to sigma(i + 1), and the last
 * level is 0, or for a few solvers the lowest of training.
 */
public final class Sigmas {
    /** More steps than this cannot help and would only hide a slip of the keyboard. */
    public static final int MAX_STEPS = 10_000;

    private final float[] sigmas;
    private final float[] timesteps;
    /** Levels that the evaluations go to, where these are not the next evaluation's; null elsewhere. */
    private final float[] targets;
    private final int evaluationsPerStep;
    private final double startFactor;
    private final DoubleUnaryOperator time;

    private Sigmas(float[] sigmas, float[] timesteps, float[] targets, int evaluationsPerStep, double startFactor,
                   DoubleUnaryOperator time) {
        this.sigmas = sigmas;
        this.timesteps = timesteps;
        this.targets = targets;
        this.evaluationsPerStep = evaluationsPerStep;
        this.startFactor = startFactor;
        this.time = time;
    }

    /**
     * The levels of {@code steps} steps of a rectified flow, with one evaluation each. The denoiser's time is sigma
     * times the number of training timesteps.
     *
     * @param imageTokens number of the denoiser's image tokens (patches); counts only for dynamic shifting
     * @throws InputException if {@code steps} is not in 1..{@value #MAX_STEPS}, or the configuration gives no usable
     *     shift for this image size
     */
    public static Sigmas of(SigmaSchedule schedule, int steps, SchedulerConfig config, int imageTokens) {
        checkSteps(steps);
        int trainTimesteps = config.numTrainTimesteps();
        return ofFlow(schedule.spread(steps, config.shiftFor(imageTokens), config.shiftTerminal(), trainTimesteps),
                trainTimesteps);
    }

    /** The same of levels that are even before the shift, 1 to 1 / steps, or of the configuration's curve over them. */
    static Sigmas ofEven(int steps, SchedulerConfig config, int imageTokens) {
        checkSteps(steps);
        return ofFlow(config.schedule().even(steps, config.shiftFor(imageTokens), config.shiftTerminal()),
                config.numTrainTimesteps());
    }

    /** The levels but for the final 0. */
    private static Sigmas ofFlow(double[] spread, int trainTimesteps) {
        var sigmas = new float[spread.length + 1];
        for (int i = 0; i < spread.length; i++) {
            sigmas[i] = (float) spread[i];
        }
        return ofFlow(sigmas, trainTimesteps);
    }

    /** Levels of a rectified flow, the final 0 among them. */
    static Sigmas ofFlow(float[] sigmas, int trainTimesteps) {
        var timesteps = new float[sigmas.length - 1];
        for (int i = 0; i < timesteps.length; i++) {
            timesteps[i] = sigmas[i] * trainTimesteps;
        }
        return new Sigmas(sigmas, timesteps, null, 1, 1, sigma -> (float) sigma * trainTimesteps);
    }

    /**
     * Levels of any kind.
     *
     * @param sigmas      one more than there are timesteps
     * @param timesteps   the denoiser's time at each evaluation
     * @param startFactor what unit noise is multiplied by to start from
     * @param time        the denoiser's time at a level between those
     */
    static Sigmas of(float[] sigmas, float[] timesteps, double startFactor, DoubleUnaryOperator time) {
        return new Sigmas(sigmas, timesteps, null, 1, startFactor, time);
    }

    static void checkSteps(int steps) {
        if (steps < 1 || steps > MAX_STEPS) {
            throw new InputException(steps + " steps are asked for; use 1 to " + MAX_STEPS);
        }
    }

    /** The same with other levels to go to: a solver that works on variance-preserving latents may miss the next. */
    Sigmas withTargets(float[] levels) {
        return new Sigmas(sigmas, timesteps, levels, evaluationsPerStep, startFactor, time);
    }

    /**
     * The same steps for Heun's method as diffusers' {@code FlowMatchHeunDiscreteScheduler} and
     * {@code HeunDiscreteScheduler} list them: every level but the first and the last twice, since a step asks the
     * denoiser at both of its ends. The last step has no second evaluation.
     */
    public Sigmas heun() {
        return twice((_, next) -> next);
    }

    /** A level between the two ends of a step. */
    interface Between {
        double level(double sigma, double next);
    }

    /** Every step but the last asks a second time, at a level that its ends give. */
    Sigmas twice(Between between) {
        if (evaluationsPerStep == 2) {
            throw new IllegalStateException("every step asks twice already");
        }
        int evaluations = 2 * timesteps.length - 1;
        var levels = new float[evaluations + 1];
        var times = new float[evaluations];
        for (int i = 0; i < evaluations; i++) {
            int step = i / 2;
            if (i % 2 == 0) {
                levels[i] = sigmas[step];
                times[i] = timesteps[step];
            } else {
                double level = between.level(sigmas[step], sigmas[step + 1]);
                levels[i] = (float) level;
                times[i] = levels[i] == sigmas[step + 1] ? timesteps[step + 1]
                        : (float) time.applyAsDouble(levels[i]);
            }
        }
        levels[evaluations] = sigmas[timesteps.length];
        return new Sigmas(levels, times, null, 2, startFactor, time);
    }

    /** How often the denoiser is asked; guidance, which asks with and without a prompt, counts as once. */
    public int evaluations() {
        return timesteps.length;
    }

    /** The noise level before evaluation {@code i}. */
    public float sigma(int i) {
        return sigmas[i];
    }

    /** The level that the step of evaluation {@code i} goes to; the last one is usually 0. */
    public float target(int i) {
        return targets == null ? sigmas[i + 1] : targets[i];
    }

    /**
     * What latents at {@link #target} are multiplied by to be those of the next evaluation, or of the end, which for
     * a variance-preserving solver are not x but x / sqrt(1 + sigma^2).
     */
    double rescale(int i) {
        double target = target(i);
        double next = i + 1 < timesteps.length ? sigmas[i + 1] : 0;
        return target == next ? 1 : Math.sqrt((1 + next * next) / (1 + target * target));
    }

    /** The denoiser's time at evaluation {@code i}. */
    public float timestep(int i) {
        return timesteps[i];
    }

    /** What unit noise is multiplied by to start from, when there is no picture to start from. */
    public double startFactor() {
        return startFactor;
    }

    /** A copy of all noise levels, one more than there are evaluations. */
    public float[] toArray() {
        return sigmas.clone();
    }

    /** A copy of the times of all evaluations. */
    public float[] timesteps() {
        return timesteps.clone();
    }

    /** Whether {@code i} is a step's second evaluation. */
    boolean isSecond(int i) {
        return evaluationsPerStep == 2 && i % 2 == 1;
    }

    /** Steps, each of one or two evaluations. */
    public int steps() {
        return (timesteps.length + evaluationsPerStep - 1) / evaluationsPerStep;
    }

    /**
     * The first evaluation when an image is given and only a part of the steps is run, as diffusers' SD3 image-to-
     * image and inpainting pipelines count: 0 for strength 1, and at least the last step is always run.
     *
     * @throws InputException if {@code strength} is not above 0 and at most 1
     */
    public int start(double strength) {
        checkStrength(strength);
        int steps = steps();
        int first = (int) (steps - Math.min(steps * strength, steps));
        return Math.min(first, steps - 1) * evaluationsPerStep;
    }

    /**
     * The same as diffusers' SDXL pipelines count: the number of steps that run is rounded down.
     *
     * @throws InputException if {@code strength} is not above 0 and at most 1, or no step is left
     */
    public int startOfWhole(double strength) {
        checkStrength(strength);
        int steps = steps();
        int run = Math.min((int) (steps * strength), steps);
        if (run < 1) {
            throw new InputException("with strength " + strength + " none of " + steps + " steps is run; use at least "
                    + (int) Math.ceil(1 / strength) + " steps or more strength");
        }
        return (steps - run) * evaluationsPerStep;
    }

    private static void checkStrength(double strength) {
        if (!(strength > 0 && strength <= 1)) {
            throw new InputException("strength is " + strength + "; use a number above 0 and at most 1");
        }
    }

    @Override
    public String toString() {
        return Arrays.toString(sigmas);
    }
}
