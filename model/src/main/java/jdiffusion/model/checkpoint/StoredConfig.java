package jdiffusion.model.checkpoint;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import jdiffusion.model.JsonTree;
import jdiffusion.tensor.InputException;

/**
 * What the shapes of a model's tensors do not say. A single file has no configuration beside it, so those that this
 * program writes keep it as a JSON object in their metadata: an object for each component, by its folder in the
 * diffusers layout, and those of the scheduler, of the wishes for sampling and of the pipeline's switches.
 */
public final class StoredConfig {
    /** The key of the metadata, in safetensors and GGUF alike. */
    public static final String KEY = "jdiffusion.config";
    public static final String SCHEDULER = "scheduler";
    public static final String GENERATION = "generation";
    /** Of the pipeline, in model_index.json. */
    public static final String SWITCHES = "switches";

    private StoredConfig() {
    }

    /** The part of a config.json that is kept. */
    public static ObjectNode kept(Network network, ObjectNode config) {
        return config.deepCopy().retain(network.silent());
    }

    /**
     * A component's part of a file's metadata; null when there is none.
     *
     * @throws InputException when it is there and is no such part; its values are checked as those of a config.json
     */
    static ObjectNode of(Path file, WeightsFile weights, ComponentFormat format) {
        ObjectNode part = part(file, weights, format.folder());
        return part == null ? null : part.retain(format.network().silent());
    }

    /** A file's scheduler or wishes; null when there are none. */
    static ObjectNode of(Path file, String part) {
        try (WeightsFile weights = WeightsFile.open(file)) {
            return part(file, weights, part);
        }
    }

    /** What names a file's own configuration in messages. */
    static String origin(Path file) {
        return file + ": " + KEY;
    }

    private static ObjectNode part(Path file, WeightsFile weights, String name) {
        String text = weights.metadata(KEY);
        if (text == null) {
            return null;
        }
        JsonNode root = JsonTree.read(text.getBytes(StandardCharsets.UTF_8), origin(file) + " in its metadata");
        JsonNode part = object(file, root, "").get(name);
        return part == null || part.isNull() ? null : object(file, part, "." + name);
    }

    private static ObjectNode object(Path file, JsonNode node, String path) {
        if (node instanceof ObjectNode object) {
            return object;
        }
        throw new InputException(origin(file) + path + " in its metadata is "
                + InputException.shown(String.valueOf(node)) + "; a JSON object is expected: write the file again");
    }
}
