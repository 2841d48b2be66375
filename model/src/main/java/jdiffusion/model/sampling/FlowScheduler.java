package jdiffusion.model.sampling;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import jdiffusion.tensor.InputException;

/**
 * The schedule of a rectified flow, as diffusers' {@code FlowMatch...} schedulers have it.
 *
 * @param even whether its own levels are those that the family's pipeline gives it, before the shift 1, 1 - 1/n, ...,
 *             1/n for n steps; else they end at the lowest level of training
 */
public record FlowScheduler(SchedulerConfig config, boolean even) implements NoiseScheduler {
    public FlowScheduler(SchedulerConfig config) {
        this(config, false);
    }

    /** One of a static shift, with diffusers' values for the rest. */
    public static FlowScheduler ofShift(double shift) {
        return new FlowScheduler(SchedulerConfig.ofShift(shift));
    }

    @Override
    public NoiseScheduler read(JsonNode json, String where) {
        return new FlowScheduler(SchedulerConfig.of(json, where, config), even);
    }

    @Override
    public ObjectNode write() {
        return SchedulerFile.write(config);
    }

    @Override
    public Prediction prediction() {
        return Prediction.VELOCITY;
    }

    @Override
    public SamplerSettings sampler() {
        return config.sampler();
    }

    @Override
    public SigmaSchedule schedule() {
        return even ? null : config.schedule();
    }

    @Override
    public Sigmas sigmas(int steps, int imageTokens) {
        return even ? Sigmas.ofEven(steps, config, imageTokens) : sigmas(config.schedule(), steps, imageTokens);
    }

    @Override
    public Sigmas sigmas(SigmaSchedule schedule, int steps, int imageTokens) {
        return Sigmas.of(schedule, steps, config, imageTokens);
    }

    @Override
    public Sigmas sigmas(List<Float> levels) {
        Levels.check(levels, 1);
        float[] sigmas = new float[levels.size() + 1];
        for (int i = 0; i < levels.size(); i++) {
            sigmas[i] = levels.get(i);
        }
        return Sigmas.ofFlow(sigmas, config.numTrainTimesteps());
    }

    /** @throws InputException when the shift cannot be used */
    @Override
    public NoiseScheduler withShift(double factor) {
        return new FlowScheduler(config.withShift(factor), even);
    }

    @Override
    public List<String> notes() {
        return config.notes();
    }

    /** The shift in words: a number, or that it comes from the size of the picture. */
    public String shift() {
        return config.useDynamicShifting() ? "dynamic" : Double.toString(config.shift());
    }

    @Override
    public String describe() {
        boolean curve = config.schedule() != SigmaSchedule.NORMAL;
        String own = !even ? config.schedule().label() : curve ? "even, " + config.schedule().label() : "even";
        return own + ", shift " + shift() + ", " + config.numTrainTimesteps()
                + " training timesteps";
    }
}
