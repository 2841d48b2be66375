package jdiffusion.model.sampling;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import jdiffusion.model.JsonTree;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.InputFile;

/**
 * The {@code scheduler_config.json} of a diffusers checkpoint.
 *
 * @param numTrainTimesteps number of noise levels in training; the denoiser's time for pure noise
 * @param shift the static shift, used when {@code useDynamicShifting} is false
 * @param useDynamicShifting whether the shift comes from the size of the image
 * @param baseShift mu for images of {@code baseImageSeqLen} tokens
 * @param maxShift mu for images of {@code maxImageSeqLen} tokens; between and beyond, mu is linear in the tokens
 * @param shiftTerminal the level before the final 0 after stretching, or 0 for no stretching
 * @param timeShiftType how mu becomes a factor
 * @param schedule the spacing that the file asks for
 * @param heun whether the file was written for {@code FlowMatchHeunDiscreteScheduler}
 */
public record SchedulerConfig(int numTrainTimesteps, double shift, boolean useDynamicShifting, double baseShift,
        double maxShift, int baseImageSeqLen, int maxImageSeqLen, double shiftTerminal, TimeShiftType timeShiftType,
        SigmaSchedule schedule, boolean heun) {

    /** The two meanings of mu in dynamic shifting. */
    public enum TimeShiftType {
        /** The factor is e^mu. */
        EXPONENTIAL,
        /** The factor is mu. */
        LINEAR
    }

    private static final String EULER = "FlowMatchEulerDiscreteScheduler";
    private static final String HEUN = "FlowMatchHeunDiscreteScheduler";
    private static final int MAX_TRAIN_TIMESTEPS = 1_000_000;
    private static final int MAX_FILE_SIZE = 1 << 20;
    /**
     * Near t = 1 a rounding error grows by the inverse of the shift, and a static shift acts twice: with one still
     * smaller than the inverse of this, the first noise level would visibly exceed 1.
     */
    private static final double STATIC_RANGE = 100;
    private static final double DYNAMIC_RANGE = 1e6;

    /** Checks that all values can be used; the message of a failure names the field as the file does. */
    public SchedulerConfig {
        if (numTrainTimesteps < 1 || numTrainTimesteps > MAX_TRAIN_TIMESTEPS) {
            throw new InputException("num_train_timesteps is " + numTrainTimesteps + "; it must be 1 to "
                    + MAX_TRAIN_TIMESTEPS);
        }
        checkFactor("shift", shift, STATIC_RANGE);
        if (!(shiftTerminal >= 0 && shiftTerminal < 1)) {
            throw new InputException("shift_terminal is " + shiftTerminal + "; it must be at least 0 and below 1");
        }
        if (useDynamicShifting && !(Double.isFinite(baseShift) && Double.isFinite(maxShift))) {
            throw new InputException("base_shift and max_shift are " + baseShift + " and " + maxShift
                    + "; dynamic shifting needs finite numbers");
        }
        if (useDynamicShifting && !(baseImageSeqLen > 0 && baseImageSeqLen < maxImageSeqLen)) {
            throw new InputException("base_image_seq_len and max_image_seq_len are " + baseImageSeqLen + " and "
                    + maxImageSeqLen + "; dynamic shifting needs 0 < base < max");
        }
    }

    /** What diffusers takes where a file says nothing, with this static shift (3 for the published SD3.5 models). */
    public static SchedulerConfig ofShift(double shift) {
        return new SchedulerConfig(1000, shift, false, 0.5, 1.15, 256, 4096, 0, TimeShiftType.EXPONENTIAL,
                SigmaSchedule.NORMAL, false);
    }

    /**
     * Reads a {@code scheduler_config.json}.
     *
     * @throws InputException if it cannot be read, is not JSON, or asks for something that is not supported
     */
    public static SchedulerConfig read(Path file) {
        byte[] bytes = InputFile.bytes(file, MAX_FILE_SIZE, "a scheduler_config.json");
        return of(JsonTree.read(bytes, file.toString()), file.toString());
    }

    /**
     * The configuration in a parsed file. Fields that are missing or null take diffusers' defaults, unknown ones are
     * left alone.
     *
     * @param where names the file in messages
     * @throws InputException if a value has the wrong type or range or asks for something that is not supported
     */
    public static SchedulerConfig of(JsonNode json, String where) {
        try {
            return parse(new Fields(json));
        } catch (InputException e) {
            throw new InputException(where + ": " + e.getMessage(), e);
        }
    }

    private static SchedulerConfig parse(Fields fields) {
        var name = fields.text("_class_name", "");
        var standard = ofShift(1);
        int train = fields.integer("num_train_timesteps", standard.numTrainTimesteps);
        double shift = fields.number("shift", standard.shift);
        if (name.equals(HEUN)) {
            return new SchedulerConfig(train, shift, false, standard.baseShift, standard.maxShift,
                    standard.baseImageSeqLen, standard.maxImageSeqLen, 0, standard.timeShiftType, standard.schedule,
                    true);
        }
        if (!name.equals(EULER)) {
            throw new InputException("_class_name is '" + name + "'; use a checkpoint with " + EULER + " or " + HEUN);
        }
        fields.refuse("invert_sigmas");
        fields.refuse("stochastic_sampling");
        return new SchedulerConfig(train, shift,
                fields.flag("use_dynamic_shifting"),
                fields.number("base_shift", standard.baseShift),
                fields.number("max_shift", standard.maxShift),
                fields.integer("base_image_seq_len", standard.baseImageSeqLen),
                fields.integer("max_image_seq_len", standard.maxImageSeqLen),
                fields.number("shift_terminal", 0),
                switch (fields.text("time_shift_type", "exponential")) {
                    case "exponential" -> TimeShiftType.EXPONENTIAL;
                    case "linear" -> TimeShiftType.LINEAR;
                    case String other -> throw new InputException(
                            "time_shift_type is '" + other + "'; it must be 'exponential' or 'linear'");
                },
                schedule(fields), false);
    }

    private static SigmaSchedule schedule(Fields fields) {
        boolean karras = fields.flag("use_karras_sigmas");
        boolean exponential = fields.flag("use_exponential_sigmas");
        boolean beta = fields.flag("use_beta_sigmas");
        if (karras && exponential || karras && beta || exponential && beta) {
            throw new InputException("use_karras_sigmas, use_exponential_sigmas and use_beta_sigmas are " + karras
                    + ", " + exponential + " and " + beta + "; only one can be true");
        }
        return karras ? SigmaSchedule.KARRAS : exponential ? SigmaSchedule.EXPONENTIAL
                : beta ? SigmaSchedule.BETA : SigmaSchedule.NORMAL;
    }

    /** The same with this static shift for every image size, as a scheduler built with that shift would have it. */
    public SchedulerConfig withShift(double factor) {
        return new SchedulerConfig(numTrainTimesteps, factor, false, baseShift, maxShift, baseImageSeqLen,
                maxImageSeqLen, shiftTerminal, timeShiftType, schedule, heun);
    }

    /**
     * The shift for an image of this many tokens.
     *
     * @throws InputException if dynamic shifting gives a factor that no schedule can use
     */
    public Shift shiftFor(int imageTokens) {
        if (!useDynamicShifting) {
            return new Shift.Static(shift);
        }
        if (imageTokens < 1) {
            throw new IllegalArgumentException(imageTokens + " image tokens");
        }
        double slope = (maxShift - baseShift) / (maxImageSeqLen - baseImageSeqLen);
        double mu = imageTokens * slope + (baseShift - slope * baseImageSeqLen);
        double factor = timeShiftType == TimeShiftType.EXPONENTIAL ? StrictMath.exp(mu) : mu;
        checkFactor("the dynamic shift for " + imageTokens + " image tokens", factor, DYNAMIC_RANGE);
        return new Shift.Dynamic(factor);
    }

    private static void checkFactor(String what, double factor, double range) {
        if (!(factor >= 1 / range && factor <= range)) {
            throw new InputException(what + " is " + factor + "; it must be " + 1 / range + " to " + range);
        }
    }

    /** Typed access to a JSON object, in which null is the same as missing. */
    private record Fields(JsonNode json) {
        Fields {
            if (json == null || !json.isObject()) {
                throw new InputException("this is no JSON object; give a scheduler_config.json");
            }
        }

        String text(String name, String standard) {
            return json.hasNonNull(name) ? checked(name, json.get(name).isTextual(), "text").textValue() : standard;
        }

        double number(String name, double standard) {
            return json.hasNonNull(name)
                    ? checked(name, json.get(name).isNumber(), "a number").doubleValue() : standard;
        }

        int integer(String name, int standard) {
            if (!json.hasNonNull(name)) {
                return standard;
            }
            var node = json.get(name);
            return checked(name, node.isIntegralNumber() && node.canConvertToInt(), "a whole number").intValue();
        }

        boolean flag(String name) {
            return json.hasNonNull(name) && checked(name, json.get(name).isBoolean(), "true or false").booleanValue();
        }

        void refuse(String name) {
            if (flag(name)) {
                throw new InputException(name + " is true, which is not supported; use a checkpoint without it");
            }
        }

        private JsonNode checked(String name, boolean right, String type) {
            if (!right) {
                var text = json.get(name).toString();
                throw new InputException(name + " is " + text.substring(0, Math.min(text.length(), 60))
                        + "; it must be " + type);
            }
            return json.get(name);
        }
    }
}
