package jdiffusion.model.sampling;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import jdiffusion.tensor.InputException;

/**
 * One {@code scheduler_config.json} and what it means here. Diffusers' schedulers for flow matching say all in their
 * fields; those that were made for noise prediction can be told to follow a flow ({@code use_flow_sigmas}); the others
 * say nothing that holds for a flow.
 *
 * @param json  in which null is the same as missing
 * @param where names the file in messages
 */
record SchedulerFile(JsonNode json, String where) {
    private static final String EULER = "FlowMatchEulerDiscreteScheduler";
    private static final String HEUN = "FlowMatchHeunDiscreteScheduler";
    private static final String FLOW = "FlowMatch";
    private static final String MULTISTEP = "DPMSolverMultistepScheduler";
    private static final String SINGLESTEP = "DPMSolverSinglestepScheduler";
    private static final int SHOWN = 60;

    SchedulerFile {
        if (json == null || !json.isObject()) {
            throw new InputException("this is no JSON object; give a scheduler_config.json");
        }
    }

    /** @param usual for models of this family */
    SchedulerConfig parse(SchedulerConfig usual) {
        String name = text("_class_name", "");
        List<String> notes = new ArrayList<>();
        SchedulerConfig standard = SchedulerConfig.ofShift(1);
        if (name.equals(HEUN)) {
            return new SchedulerConfig(integer("num_train_timesteps", standard.numTrainTimesteps()),
                    number("shift", standard.shift()), false, standard.baseShift(), standard.maxShift(),
                    standard.baseImageSeqLen(), standard.maxImageSeqLen(), 0, standard.timeShiftType(),
                    standard.schedule(), Sampler.Kind.HEUN, notes);
        }
        if (name.startsWith(FLOW)) {
            noteFlow(name, notes);
            return fields("shift", standard.shift(), Sampler.Kind.EULER, notes);
        }
        if (flag("use_flow_sigmas") || text("prediction_type", "").equals("flow_prediction")) {
            Sampler.Kind sampler = ofNoise(name, notes);
            return fields("flow_shift", standard.shift(), sampler, notes);
        }
        if (name.isEmpty() && json.hasNonNull("shift")) {
            notes.add(where + ": says no _class_name; it is read as that of " + EULER);
            return fields("shift", standard.shift(), Sampler.Kind.EULER, notes);
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
            if (flag(field)) {
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
        int order = integer("solver_order", 2);
        String algorithm = text("algorithm_type", "dpmsolver++");
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
    private SchedulerConfig fields(String shift, double standardShift, Sampler.Kind sampler, List<String> notes) {
        SchedulerConfig standard = SchedulerConfig.ofShift(standardShift);
        return new SchedulerConfig(integer("num_train_timesteps", standard.numTrainTimesteps()),
                number(shift, number("shift", standardShift)),
                flag("use_dynamic_shifting"),
                number("base_shift", standard.baseShift()),
                number("max_shift", standard.maxShift()),
                integer("base_image_seq_len", standard.baseImageSeqLen()),
                integer("max_image_seq_len", standard.maxImageSeqLen()),
                number("shift_terminal", 0),
                switch (text("time_shift_type", "exponential")) {
                    case "exponential" -> SchedulerConfig.TimeShiftType.EXPONENTIAL;
                    case "linear" -> SchedulerConfig.TimeShiftType.LINEAR;
                    case String other -> throw new InputException(
                            "time_shift_type is '" + other + "'; it must be 'exponential' or 'linear'");
                },
                schedule(), sampler, notes);
    }

    private SigmaSchedule schedule() {
        boolean karras = flag("use_karras_sigmas");
        boolean exponential = flag("use_exponential_sigmas");
        boolean beta = flag("use_beta_sigmas");
        if (karras && exponential || karras && beta || exponential && beta) {
            throw new InputException("use_karras_sigmas, use_exponential_sigmas and use_beta_sigmas are " + karras
                    + ", " + exponential + " and " + beta + "; only one can be true");
        }
        return karras ? SigmaSchedule.KARRAS : exponential ? SigmaSchedule.EXPONENTIAL
                : beta ? SigmaSchedule.BETA : SigmaSchedule.NORMAL;
    }

    private String text(String name, String standard) {
        return json.hasNonNull(name) ? checked(name, json.get(name).isTextual(), "text").textValue() : standard;
    }

    private double number(String name, double standard) {
        return json.hasNonNull(name) ? checked(name, json.get(name).isNumber(), "a number").doubleValue() : standard;
    }

    private int integer(String name, int standard) {
        if (!json.hasNonNull(name)) {
            return standard;
        }
        JsonNode node = json.get(name);
        return checked(name, node.isIntegralNumber() && node.canConvertToInt(), "a whole number").intValue();
    }

    private boolean flag(String name) {
        return json.hasNonNull(name) && checked(name, json.get(name).isBoolean(), "true or false").booleanValue();
    }

    private JsonNode checked(String name, boolean right, String type) {
        if (!right) {
            String text = json.get(name).toString();
            throw new InputException(name + " is " + text.substring(0, Math.min(text.length(), SHOWN))
                    + "; it must be " + type);
        }
        return json.get(name);
    }
}
