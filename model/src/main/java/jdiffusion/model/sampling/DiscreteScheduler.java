package jdiffusion.model.sampling;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import jdiffusion.tensor.InputException;

/**
 * The schedule of a diffusion model that was trained on a table of betas, as one of diffusers' schedulers has it.
 *
 * @param table       levels of training
 * @param prediction  what the network predicts
 * @param sampler     what the scheduler's class does
 * @param spacing     which timesteps
 * @param offset      of {@link TimestepSpacing#LEADING}
 * @param curve       how levels are spread between the ends of those timesteps, or null for as they are
 * @param rules       what diffusers' classes do differently
 * @param endsAtFirst whether the last level is the lowest of training instead of 0
 * @param original    steps of the distilled schedule that its own timesteps are picked from, as LCM and TCD do; 0 for
 *                    none
 * @param notes       what of its file could not be taken as it is, for the user, a line each
 */
public record DiscreteScheduler(BetaTable table, Prediction prediction, SamplerSettings sampler,
                                TimestepSpacing spacing, int offset, SigmaSchedule curve, Rules rules,
                                boolean endsAtFirst, int original, List<String> notes)
        implements NoiseScheduler {
    /**
     * What differs between diffusers' classes.
     *
     * @param preserving whether latents are variance-preserving there: the start is plain noise
     * @param oneMore    see {@link TimestepSpacing#timesteps}
     * @param whole      whether timesteps are whole numbers
     * @param wholeRange whether a curve runs over all levels of training, not over those of the steps
     * @param endsAtOwn  whether a curve that does not end at 0 stays at its own last level
     */
    public record Rules(boolean preserving, boolean oneMore, boolean whole, boolean wholeRange, boolean endsAtOwn) {
        /** Of those that keep k-diffusion's x. */
        static final Rules EULER = new Rules(false, false, false, false, false);
    }

    public DiscreteScheduler {
        notes = List.copyOf(notes);
    }

    /** SDXL's own: Euler, leading, offset 1, on the table of Stable Diffusion. */
    public static DiscreteScheduler stableDiffusion(Prediction prediction) {
        return new DiscreteScheduler(BetaTable.stableDiffusion(), prediction, Sampler.Kind.EULER.settings(),
                TimestepSpacing.LEADING, 1, null, Rules.EULER, false, 0, List.of());
    }

    /** SDXL Turbo's: ancestral Euler, trailing. */
    public static DiscreteScheduler turbo() {
        return new DiscreteScheduler(BetaTable.stableDiffusion(), Prediction.EPSILON,
                Sampler.Kind.EULER_ANCESTRAL.settings(), TimestepSpacing.TRAILING, 1, null, Rules.EULER, false, 0,
                List.of());
    }

    /** That of models that were trained to start from pure noise: Lin et al. (2024), who want trailing timesteps. */
    public static DiscreteScheduler zeroSnr(Prediction prediction) {
        return new DiscreteScheduler(BetaTable.of(BetaTable.Kind.SCALED_LINEAR, 0.00085, 0.012, 1000, true),
                prediction, Sampler.Kind.EULER.settings(), TimestepSpacing.TRAILING, 1, null, Rules.EULER, false, 0,
                List.of());
    }

    /** That of diffusers' {@code DPMSolverMultistepScheduler}: DPM-Solver++ 2M on linear betas, as PixArt has it. */
    public static DiscreteScheduler dpmSolver() {
        return new DiscreteScheduler(BetaTable.of(BetaTable.Kind.LINEAR, 0.0001, 0.02, 1000, false),
                Prediction.EPSILON, Sampler.Kind.DPMPP_2M.settings(), TimestepSpacing.LINSPACE, 0, null,
                new Rules(true, true, true, true, false), false, 0, List.of());
    }

    /**
     * The configuration of one of diffusers' schedulers for betas. What its class does, and is not done here, becomes
     * what is usual, with a note.
     *
     * @param usual what holds for models of this family
     * @throws InputException if a value cannot be used, or says something else of the network than is known here
     */
    public static DiscreteScheduler of(JsonNode json, String where, DiscreteScheduler usual) {
        return DiscreteSchedulerFile.read(json, where, usual);
    }

    @Override
    public boolean preserving() {
        return rules.preserving;
    }

    @Override
    public ObjectNode write() {
        return DiscreteSchedulerFile.write(this);
    }

    @Override
    public String describe() {
        return (curve != null ? curve.label() : spacing.name().toLowerCase(Locale.ROOT)) + ", " + table.size()
                + " training timesteps";
    }

    @Override
    public Sigmas sigmas(int steps, int imageTokens) {
        Sigmas.checkSteps(steps);
        if (steps > table.size()) {
            throw new InputException(steps + " steps are asked for, but the model was trained on " + table.size()
                    + " timesteps; use fewer");
        }
        double[] timesteps = timesteps(steps);
        double[] levels = new double[steps];
        for (int i = 0; i < steps; i++) {
            levels[i] = table.sigmaAt(timesteps[i]);
        }
        if (curve != null) {
            double high = rules.wholeRange ? table.highest() : levels[0];
            double low = rules.wholeRange ? table.lowest() : levels[steps - 1];
            levels = curve.between(high, low, steps);
            for (int i = 0; i < steps; i++) {
                double timestep = table.timestep(levels[i]);
                timesteps[i] = !rules.whole ? timestep
                        : curve == SigmaSchedule.KARRAS ? Math.rint(timestep) : Math.floor(timestep);
            }
        }
        float[] sigmas = new float[steps + 1];
        float[] times = new float[steps];
        for (int i = 0; i < steps; i++) {
            sigmas[i] = (float) levels[i];
            times[i] = (float) timesteps[i];
        }
        sigmas[steps] = !endsAtFirst ? 0 : curve != null && rules.endsAtOwn ? sigmas[steps - 1] : table.sigma(0);
        double largest = sigmas[0];
        double start = rules.preserving || spacing == TimestepSpacing.LEADING
                ? Math.sqrt(largest * largest + 1) : largest;
        Sigmas all = Sigmas.of(sigmas, times, start, table::timestep);
        return rules.preserving ? all.withTargets(targets(sigmas, times)) : all;
    }

    private double[] timesteps(int steps) {
        if (original == 0) {
            return spacing.timesteps(steps, table.size(), offset, rules.oneMore, rules.whole);
        }
        if (steps > original) {
            throw new InputException(steps + " steps are asked for, but the model was distilled at " + original
                    + " timesteps; use fewer");
        }
        double[] timesteps = new double[steps];
        int stride = table.size() / original;
        for (int i = 0; i < steps; i++) {
            int index = (int) Math.floor(i * ((double) original / steps));
            timesteps[i] = (original - index) * stride - 1;
        }
        return timesteps;
    }

    /** Where the steps of a solver for variance-preserving latents go. */
    private float[] targets(float[] sigmas, float[] times) {
        float[] targets = Arrays.copyOfRange(sigmas, 1, sigmas.length);
        if (sampler.kind() == Sampler.Kind.DDIM) {
            // Always the same number of timesteps on; past the end, the first of training.
            int stride = table.size() / times.length;
            for (int i = 0; i < targets.length; i++) {
                int next = (int) times[i] - stride;
                targets[i] = next >= 0 ? table.sigma(next) : endsAtFirst ? table.sigma(0) : 0;
            }
        }
        return targets;
    }

    @Override
    public Sigmas sigmas(SigmaSchedule schedule, int steps, int imageTokens) {
        Sigmas.checkSteps(steps);
        return Levels.of(NamedSchedule.levels(schedule, steps, table), table.highest(), this::wholeTimestep);
    }

    @Override
    public Sigmas sigmas(List<Float> levels) {
        return Levels.byHand(levels, table.highest(), this::wholeTimestep);
    }

    /** As ComfyUI does. */
    private double wholeTimestep(double sigma) {
        return Math.rint(table.timestep(sigma));
    }
}
