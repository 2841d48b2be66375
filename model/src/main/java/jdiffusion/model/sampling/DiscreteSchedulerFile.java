package jdiffusion.model.sampling;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import jdiffusion.model.sampling.DiscreteScheduler.Rules;
import jdiffusion.model.JsonTree;
import jdiffusion.tensor.InputException;

/**
 * Reads the configurations of diffusers' schedulers for tables of betas, each class with its own rules. What the
 * network predicts and its betas are those of the file; a sampler that is not here becomes the usual one, with a note.
 *
 * @param where names the file in messages
 * @param usual what holds for models of this family
 * @param notes what could not be taken as it is
 */
record DiscreteSchedulerFile(SchedulerFields fields, String where, DiscreteScheduler usual, List<String> notes) {
    private static final int DISTILLED = 50;
    private static final Rules DDIM = new Rules(true, false, true, false, false);
    private static final Rules SOLVER = new Rules(true, true, true, true, false);
    private static final Rules ENDS_AT_OWN = new Rules(true, true, true, true, true);

    static DiscreteScheduler read(JsonNode json, String where, DiscreteScheduler usual) {
        try {
            return new DiscreteSchedulerFile(new SchedulerFields(json), where, usual, new ArrayList<>()).parse();
        } catch (InputException e) {
            throw new InputException(where + ": " + e.getMessage(), e);
        }
    }

    private DiscreteScheduler parse() {
        String name = fields.text("_class_name", SchedulerSampler.EULER.className());
        SchedulerSampler known = SchedulerSampler.find(name);
        for (String flag : List.of("thresholding", "use_flow_sigmas", "use_lu_lambdas")) {
            noteUnless(!fields.flag(flag), flag + " is true", "false is taken");
        }
        if (known == null) {
            notes.add(where + ": the sampler of " + InputException.shown(name) + " is not known here; "
                    + usual.sampler().kind().label() + " is taken, with the file's betas and timesteps");
            return of(null, usual.sampler(), usual.spacing(), usual.rules(), usual.endsAtFirst());
        }
        noteUnless(!fields.flag("clip_sample", known == SchedulerSampler.DDIM || known == SchedulerSampler.DDPM),
                "clip_sample is true, as for models of pixels", "false is taken");
        SamplerSettings sampler = sampler(known);
        return switch (known) {
            case EULER -> {
                fields.expect("timestep_type", "discrete");
                String between = fields.text("interpolation_type", "linear");
                noteUnless(between.equals("linear"), "interpolation_type is '" + between + "'", "'linear' is taken");
                yield of(known, sampler, TimestepSpacing.LINSPACE, Rules.EULER, ends());
            }
            case EULER_ANCESTRAL, HEUN, LMS -> of(known, sampler, TimestepSpacing.LINSPACE, Rules.EULER, false);
            case KDPM2, KDPM2_ANCESTRAL -> of(known, sampler, TimestepSpacing.LINSPACE,
                    new Rules(false, false, fields.curve() == SigmaSchedule.KARRAS, false, false), false);
            case DDIM -> of(known, sampler, TimestepSpacing.LEADING, DDIM, !fields.flag("set_alpha_to_one", true));
            case DDPM, LCM -> of(known, sampler, TimestepSpacing.LEADING, DDIM, false);
            case TCD -> of(known, sampler, TimestepSpacing.LEADING, DDIM, true);
            case MULTISTEP -> {
                noteUnless(!fields.flag("euler_at_final") || !ends(),
                        "euler_at_final is true and final_sigmas_type 'sigma_min'", "false is taken");
                yield of(known, sampler, TimestepSpacing.LINSPACE, SOLVER, ends());
            }
            case SINGLESTEP -> spaced(of(known, sampler, TimestepSpacing.LINSPACE, SOLVER, ends()));
            case DEIS -> of(known, sampler, TimestepSpacing.LINSPACE, ENDS_AT_OWN, true);
            case UNIPC -> of(known, sampler, TimestepSpacing.LINSPACE, ENDS_AT_OWN, ends());
        };
    }

    private void noteUnless(boolean done, String what, String taken) {
        if (!done) {
            notes.add(where + ": " + what + ", which is not done here; " + taken);
        }
    }

    private SamplerSettings sampler(SchedulerSampler known) {
        try {
            return known.read(fields);
        } catch (InputException e) {
            notes.add(where + ": " + e.getMessage() + "; " + known.kind().label() + " as usual is taken");
            return known.kind().settings();
        }
    }

    private boolean ends() {
        return fields.choice("final_sigmas_type", "zero", "sigma_min") == 1;
    }

    /** @param known null for a class that is not known */
    private DiscreteScheduler of(SchedulerSampler known, SamplerSettings sampler, TimestepSpacing standard,
                                 Rules rules, boolean endsAtFirst) {
        BetaTable table = table(known);
        Prediction prediction = switch (fields.text("prediction_type", "epsilon")) {
            case "epsilon" -> Prediction.EPSILON;
            case "v_prediction" -> Prediction.V;
            case String other -> throw new InputException("prediction_type is '" + other
                    + "'; it must be 'epsilon' or 'v_prediction'");
        };
        TimestepSpacing spacing = switch (fields.text("timestep_spacing", label(standard))) {
            case "linspace" -> TimestepSpacing.LINSPACE;
            case "leading" -> TimestepSpacing.LEADING;
            case "trailing" -> TimestepSpacing.TRAILING;
            case String other -> throw new InputException("timestep_spacing is '" + other
                    + "'; it must be 'linspace', 'leading' or 'trailing'");
        };
        boolean picks = known == SchedulerSampler.LCM || known == SchedulerSampler.TCD;
        int original = picks ? fields.integer("original_inference_steps", DISTILLED) : 0;
        if (picks && (original < 1 || original > table.size())) {
            throw new InputException("original_inference_steps is " + original + "; it must be 1 to " + table.size());
        }
        return new DiscreteScheduler(table, prediction, sampler, spacing, fields.integer("steps_offset", 0),
                hasCurves(sampler.kind(), original) ? fields.curve() : null, rules, endsAtFirst, original, notes);
    }

    private BetaTable table(SchedulerSampler known) {
        if (fields.json().hasNonNull("trained_betas")) {
            throw new InputException("trained_betas is given; only betas from beta_start to beta_end are supported");
        }
        BetaTable.Betas standard = standard(known);
        BetaTable.Kind kind = switch (fields.text("beta_schedule", label(standard.kind()))) {
            case "linear" -> BetaTable.Kind.LINEAR;
            case "scaled_linear" -> BetaTable.Kind.SCALED_LINEAR;
            case "squaredcos_cap_v2" -> BetaTable.Kind.SQUAREDCOS_CAP_V2;
            case String other -> throw new InputException("beta_schedule is '" + other
                    + "'; it must be 'linear', 'scaled_linear' or 'squaredcos_cap_v2'");
        };
        return BetaTable.of(kind, fields.number("beta_start", standard.start()),
                fields.number("beta_end", standard.end()), fields.integer("num_train_timesteps", standard.count()),
                fields.flag("rescale_betas_zero_snr"));
    }

    /** Where the file says nothing: diffusers' values for the class, else those of the family. */
    private BetaTable.Betas standard(SchedulerSampler known) {
        return switch (known) {
            case null -> usual.table().betas();
            case LCM, TCD -> new BetaTable.Betas(BetaTable.Kind.SCALED_LINEAR, 0.00085, 0.012, 1000, false);
            case HEUN, KDPM2, KDPM2_ANCESTRAL ->
                    new BetaTable.Betas(BetaTable.Kind.LINEAR, 0.00085, 0.012, 1000, false);
            default -> new BetaTable.Betas(BetaTable.Kind.LINEAR, 0.0001, 0.02, 1000, false);
        };
    }

    private static String label(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT);
    }

    /** A single-step solver's spacing is that of linspace, whatever the file says. */
    private static DiscreteScheduler spaced(DiscreteScheduler s) {
        return new DiscreteScheduler(s.table(), s.prediction(), s.sampler(), TimestepSpacing.LINSPACE, 0, s.curve(),
                s.rules(), s.endsAtFirst(), s.original(), s.notes());
    }

    private static boolean hasCurves(Sampler.Kind kind, int original) {
        return original == 0 && kind != Sampler.Kind.DDIM && kind != Sampler.Kind.EULER_ANCESTRAL;
    }

    /**
     * Writes a file that {@link #read} reads back.
     *
     * @throws IllegalArgumentException if no class of diffusers does what the sampler does
     */
    static ObjectNode write(DiscreteScheduler s) {
        Sampler.Kind kind = s.sampler().kind();
        SchedulerSampler known = s.original() > 0 && kind == Sampler.Kind.EULER ? SchedulerSampler.TCD
                : kind == Sampler.Kind.DDIM && s.sampler().eta() > 0 ? SchedulerSampler.DDPM
                : SchedulerSampler.of(kind);
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
        if (hasCurves(kind, s.original())) {
            json.put("use_karras_sigmas", s.curve() == SigmaSchedule.KARRAS)
                    .put("use_exponential_sigmas", s.curve() == SigmaSchedule.EXPONENTIAL)
                    .put("use_beta_sigmas", s.curve() == SigmaSchedule.BETA);
        }
        switch (known) {
            case EULER -> json.put("interpolation_type", "linear").put("timestep_type", "discrete")
                    .put("final_sigmas_type", last(s));
            case MULTISTEP, SINGLESTEP, UNIPC -> json.put("final_sigmas_type", last(s));
            case DDIM -> json.put("set_alpha_to_one", !s.endsAtFirst());
            case LCM, TCD -> json.put("original_inference_steps", s.original());
            default -> { }
        }
        return json;
    }

    private static String last(DiscreteScheduler s) {
        return s.endsAtFirst() ? "sigma_min" : "zero";
    }
}
