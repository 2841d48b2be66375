package jdiffusion.model.sampling;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import jdiffusion.tensor.InputException;

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
 * @param sampler the integration method that the file asks for
 * @param notes what of the file could not be taken as it is, for the user, a line each
 */
public record SchedulerConfig(int numTrainTimesteps, double shift, boolean useDynamicShifting, double baseShift,
        double maxShift, int baseImageSeqLen, int maxImageSeqLen, double shiftTerminal, TimeShiftType timeShiftType,
        SigmaSchedule schedule, SamplerSettings sampler, List<String> notes) {

    /** The two meanings of mu in dynamic shifting. */
    public enum TimeShiftType {
        /** The factor is e^mu. */
        EXPONENTIAL,
        /** The factor is mu. */
        LINEAR
    }

    private static final int MAX_TRAIN_TIMESTEPS = 1_000_000;
    /**
     * Near t = 1 a rounding error grows by the inverse of the shift, and a static shift acts twice: with one still
     * smaller than the inverse of this, the first noise level would visibly exceed 1.
     */
    private static final double STATIC_RANGE = 100;
    private static final double DYNAMIC_RANGE = 1e6;

    /** Checks that all values can be used; the message of a failure names the field as the file does. */
    public SchedulerConfig {
        notes = List.copyOf(notes);
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
                SigmaSchedule.NORMAL, Sampler.Kind.EULER.settings(), List.of());
    }

    /** The same with a shift by the size of the image, as FLUX.1 [dev] was published; its static shift is not used. */
    public static SchedulerConfig ofDynamicShift() {
        SchedulerConfig usual = ofShift(3);
        return new SchedulerConfig(usual.numTrainTimesteps, usual.shift, true, usual.baseShift, usual.maxShift,
                usual.baseImageSeqLen, usual.maxImageSeqLen, usual.shiftTerminal, usual.timeShiftType, usual.schedule,
                usual.sampler, usual.notes);
    }

    /**
     * The configuration in a parsed file. Fields that are missing or null take diffusers' defaults, unknown ones are
     * left alone. A sampler that is not known here becomes Euler's, with a note.
     *
     * @param where names the file in messages
     * @param usual what holds for models of this family, for files of schedulers that are not made for them
     * @throws InputException if a value has the wrong type or range
     */
    public static SchedulerConfig of(JsonNode json, String where, SchedulerConfig usual) {
        try {
            return new SchedulerFile(new SchedulerFields(json), where).parse(usual);
        } catch (InputException e) {
            throw new InputException(where + ": " + e.getMessage(), e);
        }
    }

    /** The same with this static shift for every image size, as a scheduler built with that shift would have it. */
    public SchedulerConfig withShift(double factor) {
        return new SchedulerConfig(numTrainTimesteps, factor, false, baseShift, maxShift, baseImageSeqLen,
                maxImageSeqLen, shiftTerminal, timeShiftType, schedule, sampler, notes);
    }

    /** The same with this as what there is to tell. */
    public SchedulerConfig withNote(String note) {
        return new SchedulerConfig(numTrainTimesteps, shift, useDynamicShifting, baseShift, maxShift, baseImageSeqLen,
                maxImageSeqLen, shiftTerminal, timeShiftType, schedule, sampler, List.of(note));
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
}
