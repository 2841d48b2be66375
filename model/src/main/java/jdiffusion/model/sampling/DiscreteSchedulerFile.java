package jdiffusion.model.sampling;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.Locale;
import jdiffusion.model.sampling.DiscreteScheduler.Rules;
import jdiffusion.tensor.InputException;

/** Reads the configurations of diffusers' schedulers for tables of betas, each class with its own rules. */
final class DiscreteSchedulerFile {
    /** Those that are read here. */
    static final List<String> CLASSES = List.of("EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler",
            "HeunDiscreteScheduler", "KDPM2DiscreteScheduler", "KDPM2AncestralDiscreteScheduler",
            "LMSDiscreteScheduler", "DDIMScheduler", "DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler",
            "DEISMultistepScheduler", "UniPCMultistepScheduler", "LCMScheduler");

    private DiscreteSchedulerFile() {
    }

    static DiscreteScheduler read(JsonNode json, String where) {
        try {
            return parse(new SchedulerFields(json));
        } catch (InputException e) {
            throw new InputException(where + ": " + e.getMessage(), e);
        }
    }

    private static DiscreteScheduler parse(SchedulerFields fields) {
        String name = fields.text("_class_name", "EulerDiscreteScheduler");
        fields.refuse("thresholding");
        fields.refuse("use_flow_sigmas");
        fields.refuse("use_lu_lambdas");
        return switch (name) {
            case "EulerDiscreteScheduler" -> {
                fields.expect("timestep_type", "discrete");
                fields.expect("interpolation_type", "linear");
                yield of(fields, Sampler.Kind.EULER.settings(), "linspace", Rules.EULER, ends(fields, "zero"));
            }
            case "EulerAncestralDiscreteScheduler" ->
                    of(fields, Sampler.Kind.EULER_ANCESTRAL.settings(), "linspace", Rules.EULER, false);
            case "HeunDiscreteScheduler" ->
                    of(fields, Sampler.Kind.HEUN.settings(), "linspace", Rules.EULER, false);
            case "LMSDiscreteScheduler" -> of(fields, Sampler.Kind.LMS.settings(), "linspace", Rules.EULER, false);
            case "KDPM2DiscreteScheduler" -> kdpm(fields, Sampler.Kind.DPM2);
            case "KDPM2AncestralDiscreteScheduler" -> kdpm(fields, Sampler.Kind.DPM2_ANCESTRAL);
            case "DDIMScheduler" -> {
                if (fields.flag("clip_sample", true)) {
                    throw new InputException("clip_sample is true, as for models of pixels; only false is supported");
                }
                yield of(fields, Sampler.Kind.DDIM.settings(), "leading",
                        new Rules(true, false, true, false, false), !fields.flag("set_alpha_to_one", true));
            }
            case "LCMScheduler" -> of(fields, new SamplerSettings(Sampler.Kind.LCM, 1, 1,
                    SamplerSettings.SecondOrder.MIDPOINT, false, true), "leading",
                    new Rules(true, false, true, false, false), false);
            case "DPMSolverMultistepScheduler" -> multistep(fields);
            case "DPMSolverSinglestepScheduler" -> {
                fields.expect("algorithm_type", "dpmsolver++");
                if (fields.integer("solver_order", 2) != 2) {
                    throw new InputException("solver_order is " + fields.integer("solver_order", 2)
                            + "; of single-step solvers only order 2 is supported");
                }
                // Its spacing is always that of linspace.
                yield withSpacing(of(fields, Sampler.Kind.DPMPP_2S.settings(), "linspace",
                        new Rules(true, true, true, true, false), ends(fields, "zero")), TimestepSpacing.LINSPACE);
            }
            case "DEISMultistepScheduler" -> {
                fields.expect("algorithm_type", "deis");
                yield of(fields, new SamplerSettings(Sampler.Kind.DEIS, 0, fields.integer("solver_order", 2),
                        SamplerSettings.SecondOrder.MIDPOINT, fields.flag("lower_order_final", true), false),
                        "linspace", new Rules(true, true, true, true, true), true);
            }
            case "UniPCMultistepScheduler" -> {
                fields.expect("solver_type", "bh2");
                if (!fields.flag("predict_x0", true)) {
                    throw new InputException("predict_x0 is false; only true is supported");
                }
                yield of(fields, new SamplerSettings(Sampler.Kind.UNIPC, 0, fields.integer("solver_order", 2),
                        SamplerSettings.SecondOrder.MIDPOINT, fields.flag("lower_order_final", true), false),
                        "linspace", new Rules(true, true, true, true, true), ends(fields, "zero"));
            }
            default -> throw new InputException("_class_name is '" + name + "'; for a model of this kind use one of "
                    + String.join(", ", CLASSES));
        };
    }

    private static DiscreteScheduler multistep(SchedulerFields fields) {
        int order = fields.integer("solver_order", 2);
        boolean noisy = fields.choice("algorithm_type", "dpmsolver++", "sde-dpmsolver++") == 1;
        if (order < 1 || order > 3) {
            throw new InputException("solver_order is " + order + "; it must be 1 to 3");
        }
        if (fields.flag("euler_at_final") && ends(fields, "zero")) {
            throw new InputException("euler_at_final is true and final_sigmas_type 'sigma_min'; only 'zero' is"
                    + " supported, where the last step is Euler's anyway");
        }
        Sampler.Kind kind = noisy ? order == 3 ? Sampler.Kind.DPMPP_3M_SDE : Sampler.Kind.DPMPP_2M_SDE
                : order == 3 ? Sampler.Kind.DPMPP_3M : Sampler.Kind.DPMPP_2M;
        return of(fields, new SamplerSettings(kind, noisy ? 1 : 0, order, fields.secondOrder("solver_type"),
                fields.flag("lower_order_final", true), false), "linspace", new Rules(true, true, true, true, false),
                ends(fields, "zero"));
    }

    private static DiscreteScheduler kdpm(SchedulerFields fields, Sampler.Kind kind) {
        SigmaSchedule curve = fields.curve();
        return of(fields, kind.settings(), "linspace",
                new Rules(false, false, curve == SigmaSchedule.KARRAS, false, false), false);
    }

    private static boolean ends(SchedulerFields fields, String standard) {
        return fields.text("final_sigmas_type", standard).equals("sigma_min");
    }

    private static DiscreteScheduler of(SchedulerFields fields, SamplerSettings sampler, String spacing, Rules rules,
                                        boolean endsAtFirst) {
        if (fields.json().hasNonNull("trained_betas")) {
            throw new InputException("trained_betas is given; only betas from beta_start to beta_end are supported");
        }
        boolean keepsZero = sampler.kind() == Sampler.Kind.DDIM || sampler.kind() == Sampler.Kind.LCM;
        BetaTable.Kind kind = switch (fields.text("beta_schedule", sampler.kind() == Sampler.Kind.LCM
                ? "scaled_linear" : "linear")) {
            case "linear" -> BetaTable.Kind.LINEAR;
            case "scaled_linear" -> BetaTable.Kind.SCALED_LINEAR;
            case "squaredcos_cap_v2" -> BetaTable.Kind.SQUAREDCOS_CAP_V2;
            case String other -> throw new InputException("beta_schedule is '" + other
                    + "'; it must be 'linear', 'scaled_linear' or 'squaredcos_cap_v2'");
        };
        boolean latent = switch (sampler.kind()) {
            case HEUN, DPM2, DPM2_ANCESTRAL, LCM -> true;
            default -> false;
        };
        BetaTable table = BetaTable.of(kind, fields.number("beta_start", latent ? 0.00085 : 0.0001),
                fields.number("beta_end", latent ? 0.012 : 0.02), fields.integer("num_train_timesteps", 1000),
                fields.flag("rescale_betas_zero_snr"), keepsZero);
        Prediction prediction = switch (fields.text("prediction_type", "epsilon")) {
            case "epsilon" -> Prediction.EPSILON;
            case "v_prediction" -> Prediction.V;
            case String other -> throw new InputException("prediction_type is '" + other
                    + "'; it must be 'epsilon' or 'v_prediction'");
        };
        TimestepSpacing spaced = switch (fields.text("timestep_spacing", spacing)) {
            case "linspace" -> TimestepSpacing.LINSPACE;
            case "leading" -> TimestepSpacing.LEADING;
            case "trailing" -> TimestepSpacing.TRAILING;
            case String other -> throw new InputException("timestep_spacing is '" + other.toLowerCase(Locale.ROOT)
                    + "'; it must be 'linspace', 'leading' or 'trailing'");
        };
        int original = fields.integer("original_inference_steps", 50);
        if (original < 1 || original > table.size()) {
            throw new InputException("original_inference_steps is " + original + "; it must be 1 to " + table.size());
        }
        boolean curves = sampler.kind() != Sampler.Kind.DDIM && sampler.kind() != Sampler.Kind.LCM
                && sampler.kind() != Sampler.Kind.EULER_ANCESTRAL;
        return new DiscreteScheduler(table, prediction, sampler, spaced, fields.integer("steps_offset", 0),
                curves ? fields.curve() : null, rules, endsAtFirst, original);
    }

    private static DiscreteScheduler withSpacing(DiscreteScheduler s, TimestepSpacing spacing) {
        return new DiscreteScheduler(s.table(), s.prediction(), s.sampler(), spacing, s.offset(), s.curve(), s.rules(),
                s.endsAtFirst(), s.original());
    }
}
