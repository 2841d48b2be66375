package jdiffusion.model.sampling;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Locale;
import jdiffusion.model.sampling.DiscreteScheduler.Rules;
import jdiffusion.model.JsonTree;
import jdiffusion.tensor.InputException;

/** Reads the configurations of diffusers' schedulers for tables of betas, each class with its own rules. */
final class DiscreteSchedulerFile {
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
        SchedulerSampler known = SchedulerSampler.find(name);
        if (known == null) {
            throw new InputException("_class_name is '" + name + "'; for a model of this kind use one of "
                    + SchedulerSampler.classes() + ", or say sampler and schedule yourself (--sampling-method,"
                    + " --scheduler)");
        }
        SamplerSettings sampler = known.read(fields);
        return switch (known) {
            case EULER -> {
                fields.expect("timestep_type", "discrete");
                fields.expect("interpolation_type", "linear");
                yield of(fields, sampler, "linspace", Rules.EULER, ends(fields));
            }
            case EULER_ANCESTRAL, HEUN, LMS -> of(fields, sampler, "linspace", Rules.EULER, false);
            case KDPM2, KDPM2_ANCESTRAL -> of(fields, sampler, "linspace",
                    new Rules(false, false, fields.curve() == SigmaSchedule.KARRAS, false, false), false);
            case DDIM -> {
                if (fields.flag("clip_sample", true)) {
                    throw new InputException("clip_sample is true, as for models of pixels; only false is supported");
                }
                yield of(fields, sampler, "leading", new Rules(true, false, true, false, false),
                        !fields.flag("set_alpha_to_one", true));
            }
            case LCM -> of(fields, sampler, "leading", new Rules(true, false, true, false, false), false);
            case MULTISTEP -> {
                if (fields.flag("euler_at_final") && ends(fields)) {
                    throw new InputException("euler_at_final is true and final_sigmas_type 'sigma_min'; only 'zero' is"
                            + " supported, where the last step is Euler's anyway");
                }
                yield of(fields, sampler, "linspace", new Rules(true, true, true, true, false), ends(fields));
            }
            case SINGLESTEP -> spaced(of(fields, sampler, "linspace", new Rules(true, true, true, true, false),
                    ends(fields)));
            case DEIS -> of(fields, sampler, "linspace", new Rules(true, true, true, true, true), true);
            case UNIPC -> of(fields, sampler, "linspace", new Rules(true, true, true, true, true), ends(fields));
        };
    }

    private static boolean ends(SchedulerFields fields) {
        return fields.choice("final_sigmas_type", "zero", "sigma_min") == 1;
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
        int original = sampler.kind() == Sampler.Kind.LCM ? fields.integer("original_inference_steps",
                DiscreteScheduler.ORIGINAL) : DiscreteScheduler.ORIGINAL;
        if (sampler.kind() == Sampler.Kind.LCM && (original < 1 || original > table.size())) {
            throw new InputException("original_inference_steps is " + original + "; it must be 1 to " + table.size());
        }
        return new DiscreteScheduler(table, prediction, sampler, spaced, fields.integer("steps_offset", 0),
                hasCurves(sampler.kind()) ? fields.curve() : null, rules, endsAtFirst, original);
    }

    /** A single-step solver's spacing is that of linspace, whatever the file says. */
    private static DiscreteScheduler spaced(DiscreteScheduler s) {
        return new DiscreteScheduler(s.table(), s.prediction(), s.sampler(), TimestepSpacing.LINSPACE, 0, s.curve(),
                s.rules(), s.endsAtFirst(), s.original());
    }

    private static boolean hasCurves(Sampler.Kind kind) {
        return kind != Sampler.Kind.DDIM && kind != Sampler.Kind.LCM && kind != Sampler.Kind.EULER_ANCESTRAL;
    }

    /**
     * Writes a file that {@link #read} reads back.
     *
     * @throws IllegalArgumentException if no class of diffusers does what the sampler does
     */
    static ObjectNode write(DiscreteScheduler s) {
        Sampler.Kind kind = s.sampler().kind();
        SchedulerSampler known = SchedulerSampler.of(kind);
        if (known == null) {
            throw new IllegalArgumentException("no scheduler of diffusers does what " + kind.label() + " does");
        }
        BetaTable.Betas betas = s.table().betas();
        ObjectNode json = JsonTree.object();
        known.write(s.sampler(), !s.endsAtFirst(), json);
        json.put("num_train_timesteps", betas.count()).put("beta_start", betas.start()).put("beta_end", betas.end())
                .put("beta_schedule", betas.kind().name().toLowerCase(Locale.ROOT)).putNull("trained_betas")
                .put("prediction_type", s.prediction() == Prediction.V ? "v_prediction" : "epsilon");
        if (known != SchedulerSampler.SINGLESTEP) {
            json.put("timestep_spacing", s.spacing().name().toLowerCase(Locale.ROOT)).put("steps_offset", s.offset());
        }
        if (betas.zeroTerminalSnr()) {
            json.put("rescale_betas_zero_snr", true);
        }
        if (hasCurves(kind)) {
            json.put("use_karras_sigmas", s.curve() == SigmaSchedule.KARRAS)
                    .put("use_exponential_sigmas", s.curve() == SigmaSchedule.EXPONENTIAL)
                    .put("use_beta_sigmas", s.curve() == SigmaSchedule.BETA);
        }
        switch (known) {
            case EULER -> json.put("interpolation_type", "linear").put("timestep_type", "discrete")
                    .put("final_sigmas_type", last(s));
            case MULTISTEP, SINGLESTEP, UNIPC -> json.put("final_sigmas_type", last(s));
            case DDIM -> json.put("set_alpha_to_one", !s.endsAtFirst());
            case LCM -> json.put("original_inference_steps", s.original());
            default -> { }
        }
        return json;
    }

    private static String last(DiscreteScheduler s) {
        return s.endsAtFirst() ? "sigma_min" : "zero";
    }
}
