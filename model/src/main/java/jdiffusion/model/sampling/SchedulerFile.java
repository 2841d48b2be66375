package jdiffusion.model.sampling;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import jdiffusion.model.JsonTree;
import jdiffusion.tensor.InputException;

/**
 * One {@code scheduler_config.json} and what it means here. Diffusers' schedulers for flow matching say all in their
 * fields; those that were made for noise prediction can be told to follow a flow ({@code use_flow_sigmas}); the others
 * say nothing that holds for a flow.
 *
 * @param fields of the file
 * @param where  names the file in messages
 */
record SchedulerFile(SchedulerFields fields, String where) {
    private static final String EULER = "FlowMatchEulerDiscreteScheduler";
    private static final String HEUN = "FlowMatchHeunDiscreteScheduler";
    private static final String FLOW = "FlowMatch";
    private static final String FLOW_PREDICTION = "flow_prediction";
    private static final String LCM = "FlowMatchLCMScheduler";

    /** Whether it says that the network predicts a flow. */
    static boolean isFlow(String name, JsonNode json) {
        return name.startsWith(FLOW) || json != null && json.path("prediction_type").asText("").equals(FLOW_PREDICTION);
    }

    /** @param usual for models of this family */
    SchedulerConfig parse(SchedulerConfig usual) {
        String name = fields.text("_class_name", "");
        List<String> notes = new ArrayList<>();
        SchedulerConfig standard = SchedulerConfig.ofShift(1);
        if (name.equals(HEUN)) {
            return new SchedulerConfig(fields.integer("num_train_timesteps", standard.numTrainTimesteps()),
                    fields.number("shift", standard.shift()), false, standard.baseShift(), standard.maxShift(),
                    standard.baseImageSeqLen(), standard.maxImageSeqLen(), 0, standard.timeShiftType(),
                    standard.schedule(), Sampler.Kind.HEUN.settings(), notes);
        }
        if (name.startsWith(FLOW)) {
            noteFlow(name, notes);
            // A stochastic Euler step takes the estimate and adds new noise to it: LCM's.
            boolean estimates = name.equals(LCM) || fields.flag("stochastic_sampling");
            return common("shift", standard.shift(), (estimates ? Sampler.Kind.LCM : Sampler.Kind.EULER).settings(),
                    notes);
        }
        if (fields.flag("use_flow_sigmas") || isFlow(name, fields.json())) {
            return common("flow_shift", standard.shift(), ofNoise(name, notes), notes);
        }
        if (name.isEmpty() && fields.json().hasNonNull("shift")) {
            notes.add(where + ": says no _class_name; it is read as that of " + EULER);
            return common("shift", standard.shift(), Sampler.Kind.EULER.settings(), notes);
        }
        return usual.withNote(where + ": " + (name.isEmpty() ? "says no _class_name"
                : InputException.shown(name) + " without use_flow_sigmas is not for models that follow a flow")
                + "; " + usual.sampler().kind().label() + " with shift " + usual.shift() + ", as published models of"
                + " this family have it, is taken");
    }

    private void noteFlow(String name, List<String> notes) {
        if (!name.equals(EULER) && !name.equals(LCM)) {
            notes.add(notHere(InputException.shown(name)));
        }
        if (fields.flag("invert_sigmas")) {
            notes.add(where + ": invert_sigmas is true, which is not known here; it is read as false");
        }
        if (fields.json().hasNonNull("scale_factors")) {
            notes.add(where + ": scale_factors are given, which are not known here; every step has the full size");
        }
    }

    private String notHere(String name) {
        return where + ": the sampler of " + name + " is not known here; euler is taken, with the file's shift";
    }

    /** What a scheduler made for noise prediction does when it follows a flow. */
    private SamplerSettings ofNoise(String name, List<String> notes) {
        SchedulerSampler known = SchedulerSampler.find(name);
        if (known == null) {
            notes.add(notHere(name.isEmpty() ? "a file without _class_name" : InputException.shown(name)));
            return Sampler.Kind.EULER.settings();
        }
        try {
            SamplerSettings sampler = known.read(fields);
            boolean first = sampler.kind() == Sampler.Kind.DPMPP_2M && sampler.order() == 1;
            return first ? Sampler.Kind.EULER.settings() : sampler; // the same in a flow
        } catch (InputException e) {
            notes.add(where + ": " + e.getMessage() + "; " + known.kind().label()
                    + " as usual is taken, with the file's shift");
            return known.kind().settings();
        }
    }

    /** The fields that diffusers' schedulers have in common. */
    private SchedulerConfig common(String shift, double standardShift, SamplerSettings sampler,
                                   List<String> notes) {
        SchedulerConfig standard = SchedulerConfig.ofShift(standardShift);
        SigmaSchedule curve = fields.curve();
        return new SchedulerConfig(fields.integer("num_train_timesteps", standard.numTrainTimesteps()),
                fields.number(shift, fields.number("shift", standardShift)),
                fields.flag("use_dynamic_shifting"),
                fields.number("base_shift", standard.baseShift()),
                fields.number("max_shift", standard.maxShift()),
                fields.integer("base_image_seq_len", standard.baseImageSeqLen()),
                fields.integer("max_image_seq_len", standard.maxImageSeqLen()),
                fields.number("shift_terminal", 0),
                switch (fields.text("time_shift_type", "exponential")) {
                    case "exponential" -> SchedulerConfig.TimeShiftType.EXPONENTIAL;
                    case "linear" -> SchedulerConfig.TimeShiftType.LINEAR;
                    case String other -> throw new InputException(
                            "time_shift_type is '" + other + "'; it must be 'exponential' or 'linear'");
                },
                curve == null ? SigmaSchedule.NORMAL : curve, sampler, notes);
    }

    /**
     * Writes a file that is read back as this; what there is to tell is not kept.
     *
     * @throws IllegalArgumentException if no class of diffusers does what the sampler does
     */
    static ObjectNode write(SchedulerConfig c) {
        ObjectNode json = JsonTree.object();
        Sampler.Kind kind = c.sampler().kind();
        if (kind == Sampler.Kind.HEUN) {
            return json.put("_class_name", HEUN).put("num_train_timesteps", c.numTrainTimesteps())
                    .put("shift", c.shift());
        }
        if (kind == Sampler.Kind.EULER || kind == Sampler.Kind.LCM && c.sampler().isUsual()) {
            json.put("_class_name", EULER).put("shift", c.shift()).put("stochastic_sampling", kind == Sampler.Kind.LCM);
        } else {
            SchedulerSampler known = SchedulerSampler.of(kind);
            if (known == null) {
                throw new IllegalArgumentException("no scheduler of diffusers does what " + kind.label() + " does");
            }
            known.write(c.sampler(), true, json);
            json.put("use_flow_sigmas", true).put("prediction_type", FLOW_PREDICTION).put("flow_shift", c.shift());
        }
        json.put("num_train_timesteps", c.numTrainTimesteps()).put("use_dynamic_shifting", c.useDynamicShifting())
                .put("base_shift", c.baseShift()).put("max_shift", c.maxShift())
                .put("base_image_seq_len", c.baseImageSeqLen()).put("max_image_seq_len", c.maxImageSeqLen())
                .put("time_shift_type", c.timeShiftType().name().toLowerCase(Locale.ROOT))
                .put("use_karras_sigmas", c.schedule() == SigmaSchedule.KARRAS)
                .put("use_exponential_sigmas", c.schedule() == SigmaSchedule.EXPONENTIAL)
                .put("use_beta_sigmas", c.schedule() == SigmaSchedule.BETA);
        return c.shiftTerminal() == 0 ? json.putNull("shift_terminal") : json.put("shift_terminal", c.shiftTerminal());
    }
}
