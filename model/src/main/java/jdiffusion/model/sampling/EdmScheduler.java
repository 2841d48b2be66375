package jdiffusion.model.sampling;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import jdiffusion.model.JsonTree;
import jdiffusion.tensor.InputException;

/**
 * The schedule of Karras et al., "Elucidating the Design Space of Diffusion-Based Generative Models", 2022, for a
 * preconditioned network, as diffusers' {@code EDMEulerScheduler} and {@code EDMDPMSolverMultistepScheduler} have it.
 * The network's time is ln(sigma) / 4.
 *
 * @param lowest      sigma_min
 * @param highest     sigma_max
 * @param prediction  an {@link Prediction.Edm}
 * @param rho         exponent of the spacing
 * @param exponential whether levels are spaced evenly in their logarithm instead
 * @param endsAtLow   whether the last level is the lowest instead of 0
 * @param sampler     what the scheduler's class does
 */
public record EdmScheduler(double lowest, double highest, Prediction prediction, double rho, boolean exponential,
                           boolean endsAtLow, SamplerSettings sampler) implements NoiseScheduler {
    private static final double TIME = 0.25;
    private static final int TABLE = 1000;
    private static final String EULER = "EDMEulerScheduler";
    private static final String MULTISTEP = "EDMDPMSolverMultistepScheduler";

    public EdmScheduler {
        if (!(lowest > 0 && lowest < highest && highest <= 1e6)) {
            throw new InputException("sigma_min and sigma_max are " + lowest + " and " + highest
                    + "; they must be above 0, and the first below the second");
        }
        if (!(rho >= 1 && rho <= 1000)) {
            throw new InputException("rho is " + rho + "; it must be 1 to 1000");
        }
    }

    /** Playground v2.5's own. */
    public static EdmScheduler playground() {
        return new EdmScheduler(0.002, 80, new Prediction.Edm(0.5, false), 7, false, false,
                Sampler.Kind.DPMPP_2M.settings());
    }

    /**
     * The configuration of one of diffusers' two schedulers.
     *
     * @throws InputException if a value cannot be used
     */
    public static EdmScheduler of(JsonNode json, String where) {
        SchedulerFields fields = new SchedulerFields(json);
        try {
            boolean euler = fields.choice("_class_name", EULER, MULTISTEP) == 0;
            fields.refuse("thresholding");
            SamplerSettings sampler = euler ? Sampler.Kind.EULER.settings()
                    : SchedulerSampler.multistep(fields);
            return new EdmScheduler(fields.number("sigma_min", 0.002), fields.number("sigma_max", 80),
                    new Prediction.Edm(fields.number("sigma_data", 0.5), switch (fields.text("prediction_type",
                            "epsilon")) {
                        case "epsilon" -> false;
                        case "v_prediction" -> true;
                        case String other -> throw new InputException("prediction_type is '" + other
                                + "'; with EDM it must be 'epsilon' or 'v_prediction'");
                    }), fields.number("rho", 7),
                    fields.choice("sigma_schedule", "karras", "exponential") == 1,
                    fields.choice("final_sigmas_type", "zero", "sigma_min") == 1, sampler);
        } catch (InputException e) {
            throw new InputException(where + ": " + e.getMessage(), e);
        }
    }

    /** @throws IllegalArgumentException if it is neither Euler's method nor DPM-Solver++ */
    @Override
    public ObjectNode write() {
        boolean euler = sampler.kind() == Sampler.Kind.EULER;
        if (!euler && SchedulerSampler.of(sampler.kind()) != SchedulerSampler.MULTISTEP) {
            throw new IllegalArgumentException("no scheduler of diffusers for EDM does what " + sampler.kind().label()
                    + " does");
        }
        if (!(prediction instanceof Prediction.Edm edm)) {
            throw new IllegalArgumentException("EDM's prediction is expected, not " + prediction);
        }
        ObjectNode json = JsonTree.object().put("_class_name", euler ? EULER : MULTISTEP).put("sigma_min", lowest)
                .put("sigma_max", highest).put("sigma_data", edm.data())
                .put("sigma_schedule", exponential ? "exponential" : "karras").put("num_train_timesteps", TABLE)
                .put("prediction_type", edm.negative() ? "v_prediction" : "epsilon").put("rho", rho)
                .put("final_sigmas_type", endsAtLow ? "sigma_min" : "zero");
        if (!euler) {
            SchedulerSampler.writeMultistep(sampler, !endsAtLow, json);
        }
        return json;
    }

    @Override
    public String describe() {
        return "EDM from " + highest + " to " + lowest;
    }

    @Override
    public Sigmas sigmas(int steps, int imageTokens) {
        Sigmas.checkSteps(steps);
        float[] sigmas = new float[steps + 1];
        float[] times = new float[steps];
        for (int i = 0; i < steps; i++) {
            double share = steps == 1 ? 0 : (double) i / (steps - 1);
            // diffusers makes its exponential levels upwards, so that a single one is the lowest.
            sigmas[i] = !exponential ? karras(i, steps) : (float) (steps == 1 ? lowest
                    : Math.exp(Math.log(highest) + share * Math.log(lowest / highest)));
            times[i] = (float) time(sigmas[i]);
        }
        sigmas[steps] = endsAtLow ? (float) lowest : 0;
        return Sigmas.of(sigmas, times, Math.sqrt(highest * highest + 1), EdmScheduler::time);
    }

    /** In double for Euler's method, in float32 for the solver, each as diffusers computes it. */
    private float karras(int i, int steps) {
        double low = Math.pow(lowest, 1 / rho);
        double high = Math.pow(highest, 1 / rho);
        if (sampler.kind() == Sampler.Kind.EULER) {
            return (float) Math.pow(high + (steps == 1 ? 0 : (double) i / (steps - 1)) * (low - high), rho);
        }
        float share = steps == 1 ? 0 : BetaTable.linspace(0, 1, steps)[i];
        float base = (float) high + share * (float) (low - high);
        return (float) Math.pow(base, rho);
    }

    private static double time(double sigma) {
        return TIME * Math.log(sigma);
    }

    @Override
    public Sigmas sigmas(SigmaSchedule schedule, int steps, int imageTokens) {
        Sigmas.checkSteps(steps);
        return Levels.of(NamedSchedule.levels(schedule, steps, table()), highest, EdmScheduler::time);
    }

    @Override
    public Sigmas sigmas(List<Float> levels) {
        return Levels.byHand(levels, highest, EdmScheduler::time);
    }

    /** ComfyUI's table for continuous levels: a thousand, evenly in the logarithm. */
    private NoiseTable table() {
        double step = Math.log(highest / lowest) / (TABLE - 1);
        return new NoiseTable() {
            @Override
            public int size() {
                return TABLE;
            }

            @Override
            public double level(int index) {
                return levelAt(index);
            }

            @Override
            public double levelAt(double index) {
                return lowest * Math.exp(step * index);
            }
        };
    }
}
