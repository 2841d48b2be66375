package jdiffusion.model.sampling;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;
import jdiffusion.tensor.InputException;

/**
 * How the noise levels between pure noise (1) and the last step are spaced.
 *
 * <p>{@link #NORMAL}, {@link #KARRAS}, {@link #EXPONENTIAL} and {@link #BETA} are those of diffusers'
 * {@code FlowMatchEulerDiscreteScheduler}; {@link #SIMPLE} and {@link #SGM_UNIFORM} are those of ComfyUI
 * ({@code comfy/samplers.py}) over its {@code ModelSamplingDiscreteFlow}. Each computes in the number format of its
 * original, step by step, so that the results agree to the last bit or, where powers and logarithms occur, to the
 * last bit but one of a float.
 */
public enum SigmaSchedule {
    /** Equal steps in time, both ends included; diffusers' default. */
    NORMAL,
    /** Every n-th entry of the table of training noise levels, rounded down. */
    SIMPLE,
    /** Equal steps in time, of which the last one to the lowest training noise level is left to the final 0. */
    SGM_UNIFORM,
    /** Equal steps in the 7th root of sigma (Karras et al., "Elucidating the Design Space", 2022, equation 5). */
    KARRAS,
    /** Equal steps in the logarithm of sigma. */
    EXPONENTIAL,
    /** Quantiles of the beta distribution with both parameters 0.6 (Lee et al., "Beta Sampling is All You Need"). */
    BETA,
    /** Every n-th entry of the table of training noise levels from the second on; may be one more than asked for. */
    DDIM_UNIFORM,
    /** Equal steps in the arcus tangent of sigma (Sabour et al., "Align Your Steps", 2024, equation 10). */
    KL_OPTIMAL,
    /** Timesteps from the last down in equal steps; see {@link TimestepSpacing}. */
    TRAILING,
    /** Timesteps from the first up in equal steps. */
    LEADING,
    /** Timesteps from the last to the first. */
    LINSPACE,
    /** Equal steps over the table of training noise levels, both ends included; stable-diffusion.cpp's default. */
    DISCRETE;

    private static final double RHO = 7;
    private static final double BETA_SHAPE = 0.6;
    /** ComfyUI's factor from noise level to time, whatever the length of the table. */
    private static final float COMFY_TIME = 1000;

    /** The name on the command line: lower case. */
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** The name in AUTOMATIC1111's web UI, or in its style. */
    public String title() {
        return switch (this) {
            case SGM_UNIFORM -> "SGM Uniform";
            case KL_OPTIMAL -> "KL Optimal";
            case DDIM_UNIFORM -> "DDIM Uniform";
            case NORMAL, SIMPLE, KARRAS, EXPONENTIAL, BETA, TRAILING, LEADING, LINSPACE, DISCRETE ->
                    name().charAt(0) + label().substring(1);
        };
    }

    /**
     * The schedule with this {@link #label()}, in any case.
     *
     * @throws InputException if there is none
     */
    public static SigmaSchedule of(String label) {
        for (var schedule : values()) {
            if (schedule.label().equalsIgnoreCase(label)) {
                return schedule;
            }
        }
        throw new InputException("schedule '" + label + "' is unknown; use one of "
                + Arrays.stream(values()).map(SigmaSchedule::label).collect(Collectors.joining(", ")));
    }

    /**
     * The noise levels of {@code steps} steps of a flow without the final 0, not yet rounded to float; a few schedules
     * give some more or fewer.
     */
    double[] spread(int steps, Shift shift, double terminal, int trainTimesteps) {
        return switch (this) {
            case NORMAL -> normal(steps, shift, terminal, trainTimesteps);
            case SIMPLE -> stretch(simple(steps, shift, trainTimesteps), terminal);
            case SGM_UNIFORM -> stretch(sgmUniform(steps, shift, trainTimesteps), terminal);
            case KARRAS, EXPONENTIAL, BETA -> {
                var normal = normal(steps, shift, terminal, trainTimesteps);
                double max = normal[0];
                double min = normal[steps - 1];
                yield between(max, min, steps);
            }
            case DDIM_UNIFORM, KL_OPTIMAL, TRAILING, LEADING, LINSPACE, DISCRETE ->
                    stretch(NamedSchedule.levels(this, steps, table(shift, trainTimesteps)), terminal);
        };
    }

    /**
     * What a flow's scheduler makes of 1, 1 - 1/n, ..., 1/n, as FLUX's pipelines give them: those levels shifted, or
     * the curve between their ends. They are given in float32.
     */
    double[] even(int steps, Shift shift, double terminal) {
        var sigmas = linspace(1, 1.0 / steps, steps);
        for (int i = 0; i < steps; i++) {
            sigmas[i] = shift.apply((float) sigmas[i]);
        }
        stretch(sigmas, terminal);
        return switch (this) {
            case KARRAS, EXPONENTIAL, BETA -> between(sigmas[0], sigmas[steps - 1], steps);
            default -> sigmas;
        };
    }

    /** Levels of this form from one end to the other; for those that are a curve between two ends. */
    double[] between(double max, double min, int steps) {
        return switch (this) {
            case KARRAS -> karras(max, min, steps);
            case EXPONENTIAL -> exponential(max, min, steps);
            case BETA -> beta(max, min, steps);
            default -> throw new IllegalStateException(label() + " is no curve between two levels");
        };
    }

    /** ComfyUI's table of a flow. */
    private static NoiseTable table(Shift shift, int trainTimesteps) {
        return new NoiseTable() {
            @Override
            public int size() {
                return trainTimesteps;
            }

            @Override
            public double level(int index) {
                return tableEntry(index + 1, shift, trainTimesteps);
            }

            @Override
            public double levelAt(double index) {
                return comfySigma((float) (index + 1) / trainTimesteps * COMFY_TIME, shift);
            }
        };
    }

    private static double[] normal(int steps, Shift shift, double terminal, int trainTimesteps) {
        // Diffusers takes the ends from a table that a static shift has changed already, so that it acts twice.
        float max = shift instanceof Shift.Static ? shift.apply(1f) : 1f;
        float min = shift instanceof Shift.Static ? shift.apply(1f / trainTimesteps) : 1f / trainTimesteps;
        var sigmas = linspace((double) max * trainTimesteps, (double) min * trainTimesteps, steps);
        for (int i = 0; i < steps; i++) {
            sigmas[i] = shift.apply(sigmas[i] / trainTimesteps);
        }
        return stretch(sigmas, terminal);
    }

    private static double[] simple(int steps, Shift shift, int trainTimesteps) {
        var sigmas = new double[steps];
        double stride = (double) trainTimesteps / steps;
        for (int i = 0; i < steps; i++) {
            sigmas[i] = tableEntry(trainTimesteps - (int) (i * stride), shift, trainTimesteps);
        }
        return sigmas;
    }

    private static double[] sgmUniform(int steps, Shift shift, int trainTimesteps) {
        float start = tableEntry(trainTimesteps, shift, trainTimesteps) * COMFY_TIME;
        float end = tableEntry(1, shift, trainTimesteps) * COMFY_TIME;
        float stride = (end - start) / steps;
        var sigmas = new double[steps];
        for (int i = 0; i < steps; i++) {
            // torch.linspace counts from the nearer end, with fused operations.
            float time = i < (steps + 1) / 2 ? Math.fma(stride, i, start) : Math.fma(-stride, steps - i, end);
            sigmas[i] = comfySigma(time, shift);
        }
        return sigmas;
    }

    /** Entry {@code index} (from 1) of ComfyUI's table of ascending noise levels. */
    private static float tableEntry(int index, Shift shift, int trainTimesteps) {
        return comfySigma((float) index / trainTimesteps * COMFY_TIME, shift);
    }

    private static float comfySigma(float time, Shift shift) {
        float t = time / COMFY_TIME;
        return shift instanceof Shift.Static(double factor) && factor == 1 ? t : shift.apply(t);
    }

    private static double[] karras(double max, double min, int steps) {
        double maxRoot = StrictMath.pow(max, 1 / RHO);
        double minRoot = StrictMath.pow(min, 1 / RHO);
        var sigmas = linspace(0, 1, steps);
        for (int i = 0; i < steps; i++) {
            sigmas[i] = StrictMath.pow(maxRoot + sigmas[i] * (minRoot - maxRoot), RHO);
        }
        return sigmas;
    }

    private static double[] exponential(double max, double min, int steps) {
        var sigmas = linspace(StrictMath.log(max), StrictMath.log(min), steps);
        for (int i = 0; i < steps; i++) {
            sigmas[i] = StrictMath.exp(sigmas[i]);
        }
        return sigmas;
    }

    private static double[] beta(double max, double min, int steps) {
        var sigmas = linspace(0, 1, steps);
        for (int i = 0; i < steps; i++) {
            sigmas[i] = min + BetaQuantile.of(1 - sigmas[i], BETA_SHAPE, BETA_SHAPE) * (max - min);
        }
        return sigmas;
    }

    /** Scales the distances from 1 so that the last level is {@code terminal}; 0 stands for no stretching. */
    private static double[] stretch(double[] sigmas, double terminal) {
        double last = 1 - sigmas[sigmas.length - 1];
        // A single step is at 1 and has no distance to scale; diffusers would divide by 0 there.
        if (terminal == 0 || last == 0) {
            return sigmas;
        }
        double scale = last / (1 - terminal);
        for (int i = 0; i < sigmas.length; i++) {
            sigmas[i] = 1 - (1 - sigmas[i]) / scale;
        }
        return sigmas;
    }

    /** {@code numpy.linspace}: {@code count} equally spaced numbers with both ends, rounded as there. */
    private static double[] linspace(double first, double last, int count) {
        var values = new double[count];
        double stride = (last - first) / (count - 1);
        for (int i = 0; i < count; i++) {
            values[i] = i == 0 ? first : i * stride + first;
        }
        if (count > 1) {
            values[count - 1] = last;
        }
        return values;
    }
}
