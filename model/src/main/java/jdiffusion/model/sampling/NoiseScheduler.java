package jdiffusion.model.sampling;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.List;
import jdiffusion.model.JsonTree;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.InputFile;

/**
 * What a checkpoint's {@code scheduler_config.json}, or a family where there is none, says of sampling: what the
 * network predicts, at which levels it is asked, and which sampler goes over them.
 */
public interface NoiseScheduler {
    /** Far beyond any such file. */
    int MAX_FILE_SIZE = 1 << 20;

    /**
     * Reads a {@code scheduler_config.json}.
     *
     * @param usual what holds for models of this family, which also decides between flows and diffusions
     * @throws InputException if it cannot be read, is not JSON, or has values that cannot be used
     */
    static NoiseScheduler read(Path file, NoiseScheduler usual) {
        byte[] bytes = InputFile.bytes(file, MAX_FILE_SIZE, "a scheduler_config.json");
        return usual.read(JsonTree.readPython(bytes, file.toString()), file.toString());
    }

    /**
     * What a parsed file says of a model of the same kind as this one's; networks for noise are also trained for flows.
     *
     * @param where names the file in messages
     * @throws InputException if a value cannot be used
     */
    default NoiseScheduler read(JsonNode json, String where) {
        String name = json == null ? "" : json.path("_class_name").asText("");
        if (name.startsWith("EDM")) {
            return EdmScheduler.of(json, where);
        }
        if (SchedulerFile.isFlow(name, json)) {
            return FlowScheduler.ofShift(1).read(json, where);
        }
        return DiscreteScheduler.of(json, where, this instanceof DiscreteScheduler usual ? usual
                : DiscreteScheduler.stableDiffusion(Prediction.EPSILON));
    }

    /**
     * The {@code scheduler_config.json} that is read as this.
     *
     * @throws IllegalArgumentException if no scheduler of diffusers does the same
     */
    ObjectNode write();

    /** What the network's output means. */
    Prediction prediction();

    /** Whether diffusers keeps latents variance-preserving with it, as x / sqrt(1 + sigma^2). */
    default boolean preserving() {
        return false;
    }

    /** The sampler that the file names. */
    SamplerSettings sampler();

    /** The schedule of the command line that gives its own levels; null when none does. */
    default SigmaSchedule schedule() {
        return null;
    }

    /**
     * The file's own levels of so many steps, before the sampler doubles any.
     *
     * @param imageTokens patches of the picture, which shift some flows
     */
    Sigmas sigmas(int steps, int imageTokens);

    /** The levels of a schedule of the command line, over the range that the model was trained on. */
    Sigmas sigmas(SigmaSchedule schedule, int steps, int imageTokens);

    /**
     * Levels given by hand, falling, without the final 0. A flow's shift does not act on them.
     *
     * @throws InputException if they do not fall or lie outside of what the model knows
     */
    Sigmas sigmas(List<Float> levels);

    /**
     * The same with another static shift of a flow's times.
     *
     * @throws InputException when this is no flow
     */
    default NoiseScheduler withShift(double factor) {
        throw new InputException("a shift of " + factor + " is asked for, but this model is no flow; leave it out");
    }

    /** What of its file could not be taken as it is, for the user, a line each. */
    default List<String> notes() {
        return List.of();
    }

    /** Its own levels in words. */
    String describe();
}
