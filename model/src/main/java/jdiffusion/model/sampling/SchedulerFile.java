package jdiffusion.model.sampling;

import java.util.ArrayList;
import java.util.List;
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
    private static final String MULTISTEP = "DPMSolverMultistepScheduler";
    private static final String SINGLESTEP = "DPMSolverSinglestepScheduler";

    /** @param usual for models of this family */
    SchedulerConfig parse(SchedulerConfig usual) {
        String name = fields.text("_class_name", "");
        List<String> notes = new ArrayList<>();
        SchedulerConfig standard = SchedulerConfig.ofShift(1);
        if (name.equals(HEUN)) {
            return new SchedulerConfig(fields.integer("num_train_timesteps", standard.numTrainTimesteps()),
                    fields.number("shift", standard.shift()), false, standard.baseShift(), standard.maxShift(),
                    standard.baseImageSeqLen(), standard.maxImageSeqLen(), 0, standard.timeShiftType(),
                    standard.schedule(), Sampler.Kind.HEUN, notes);
        }
        if (name.startsWith(FLOW)) {
            noteFlow(name, notes);
            return common("shift", standard.shift(), Sampler.Kind.EULER, notes);
        }
        if (fields.flag("use_flow_sigmas") || fields.text("prediction_type", "").equals("flow_prediction")) {
            Sampler.Kind sampler = ofNoise(name, notes);
            return common("flow_shift", standard.shift(), sampler, notes);
        }
        if (name.isEmpty() && fields.json().hasNonNull("shift")) {
            notes.add(where + ": says no _class_name; it is read as that of " + EULER);
            return common("shift", standard.shift(), Sampler.Kind.EULER, notes);
        }
        return usual.withNote(where + ": " + (name.isEmpty() ? "says no _class_name"
                : InputException.shown(name) + " without use_flow_sigmas is not for models that follow a flow")
                + "; " + usual.sampler().label() + " with shift " + usual.shift() + ", as published models of this"
                + " family have it, is taken");
    }

    private void noteFlow(String name, List<String> notes) {
        if (!name.equals(EULER)) {
            notes.add(notHere(InputException.shown(name)));
        }
        for (String field : List.of("stochastic_sampling", "invert_sigmas")) {
            if (fields.flag(field)) {
                notes.add(where + ": " + field + " is true, which is not known here; it is read as false");
            }
        }
    }

    private String notHere(String name) {
        return where + ": the sampler of " + name + " is not known here; euler is taken, with the file's shift";
    }

    /** What a scheduler made for noise prediction does when it follows a flow. */
    private Sampler.Kind ofNoise(String name, List<String> notes) {
        boolean multistep = name.equals(MULTISTEP);
        if (!multistep && !name.equals(SINGLESTEP)) {
            notes.add(notHere(name.isEmpty() ? "a file without _class_name" : InputException.shown(name)));
            return Sampler.Kind.EULER;
        }
        int order = fields.integer("solver_order", 2);
        String algorithm = fields.text("algorithm_type", "dpmsolver++");
        if (order == 1 && algorithm.equals("dpmsolver++")) {
            return Sampler.Kind.EULER; // the same in a flow
        }
        if (!multistep || order != 2 || !algorithm.equals("dpmsolver++")) {
            notes.add(where + ": " + name + " of order " + order + " with " + InputException.shown(algorithm)
                    + " is not known here; dpmpp_2m is taken, with the file's shift");
        }
        return Sampler.Kind.DPMPP_2M;
    }

    /** The fields that diffusers' schedulers have in common. */
    private SchedulerConfig common(String shift, double standardShift, Sampler.Kind sampler, List<String> notes) {
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
}
