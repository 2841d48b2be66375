package jdiffusion.model.checkpoint;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import jdiffusion.model.JsonTree;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.InputFile;

/**
 * A component's {@code config.json}: typed look-ups, and the comparison with what the tensors say.
 *
 * <p>Sizes are derived from the tensors; {@link #expect} notes each value here that contradicts them, and
 * {@link #check()} fails with all of them at once.
 */
public final class ConfigFile {
    private static final int LARGEST = 4 << 20;

    private final String origin;
    private final JsonNode root;
    private final List<String> contradictions = new ArrayList<>();
    private final Map<String, ConfigFile> parts = new HashMap<>();

    private ConfigFile(String origin, JsonNode root) {
        this.origin = origin;
        this.root = root;
    }

    /** Reads a JSON object. */
    public static ConfigFile read(Path file) {
        JsonNode root = JsonTree.readPython(InputFile.bytes(file, LARGEST, "a configuration"), file.toString());
        if (root == null || !root.isObject()) {
            throw new InputException(file + ": not a JSON object");
        }
        return new ConfigFile(file.toString(), root);
    }

    /** A configuration that says nothing, for checkpoints without one. */
    public static ConfigFile empty(String origin) {
        return new ConfigFile(origin, JsonTree.object());
    }

    /** A configuration that no file holds. */
    public static ConfigFile of(String origin, ObjectNode root) {
        return new ConfigFile(origin, root);
    }

    /** The same with another component's configuration in it, which {@link #part} gives back. */
    public ConfigFile with(String key, ConfigFile part) {
        ConfigFile joined = new ConfigFile(origin, root);
        joined.parts.putAll(parts);
        joined.parts.put(key, part);
        return joined;
    }

    /** What {@link #with} put there. */
    public ConfigFile part(String key) {
        return parts.get(key);
    }

    public String origin() {
        return origin;
    }

    /** All names by which it may say what it is of: diffusers' class, transformers' class, transformers' type. */
    public String kind() {
        return root.path("_class_name").asText("") + " " + root.path("architectures").path(0).asText("") + " "
                + root.path("model_type").asText("");
    }

    public JsonNode root() {
        return root;
    }

    public boolean has(String key) {
        return root.hasNonNull(key);
    }

    public String text(String key, String otherwise) {
        JsonNode value = root.get(key);
        if (value == null || value.isNull()) {
            return otherwise;
        }
        if (!value.isTextual()) {
            throw new InputException(origin + ": " + key + " is " + value + ", not a text");
        }
        return value.textValue();
    }

    public int integer(String key, int otherwise) {
        JsonNode value = root.get(key);
        if (value == null || value.isNull()) {
            return otherwise;
        }
        if (!value.canConvertToInt() || !value.isIntegralNumber()) {
            throw new InputException(origin + ": " + key + " is " + value + ", not an integer");
        }
        return value.intValue();
    }

    public long longInteger(String key, long otherwise) {
        JsonNode value = root.get(key);
        if (value == null || value.isNull()) {
            return otherwise;
        }
        if (!value.isIntegralNumber() || !value.canConvertToLong()) {
            throw new InputException(origin + ": " + key + " is " + value + ", not an integer of 64 bits");
        }
        return value.longValue();
    }

    /** An integer that must be there and be positive. */
    public int size(String key) {
        int value = integer(key, -1);
        if (value < 1) {
            throw new InputException(origin + ": " + key + " is "
                    + (has(key) ? Integer.toString(value) : "missing") + "; a positive integer is needed");
        }
        return value;
    }

    /** An integer from 1 on where it is there. */
    public int positiveInteger(String key, int otherwise) {
        return positiveInteger(key, otherwise, Integer.MAX_VALUE);
    }

    /** An integer from 1 to {@code most} where it is there. */
    public int positiveInteger(String key, int otherwise, int most) {
        int value = integer(key, otherwise);
        if (has(key) && (value < 1 || value > most)) {
            throw new InputException(origin + ": " + key + " is " + value + "; use 1 "
                    + (most == Integer.MAX_VALUE ? "or more" : "to " + most));
        }
        return value;
    }

    public double number(String key, double otherwise) {
        JsonNode value = root.get(key);
        if (value == null || value.isNull()) {
            return otherwise;
        }
        if (!value.isNumber() || !Float.isFinite(value.floatValue())) {
            throw new InputException(origin + ": " + key + " is " + value + ", not a number");
        }
        return value.doubleValue();
    }

    /** The same, above zero also as float32. */
    public float positiveNumber(String key, double otherwise) {
        double value = number(key, otherwise);
        if (!((float) value > 0)) {
            throw new InputException(origin + ": " + key + " is " + value + "; a positive number is needed, such as "
                    + otherwise);
        }
        return (float) value;
    }

    public boolean flag(String key, boolean otherwise) {
        JsonNode value = root.get(key);
        if (value == null || value.isNull()) {
            return otherwise;
        }
        if (!value.isBoolean()) {
            throw new InputException(origin + ": " + key + " is " + value + ", not true or false");
        }
        return value.booleanValue();
    }

    /** A list of integers; empty when missing. */
    public List<Integer> integers(String key) {
        JsonNode value = root.get(key);
        List<Integer> out = new ArrayList<>();
        if (value == null || value.isNull()) {
            return out;
        }
        if (!value.isArray()) {
            throw new InputException(origin + ": " + key + " is " + value + ", not a list of integers");
        }
        for (JsonNode entry : value) {
            if (!entry.isIntegralNumber() || !entry.canConvertToInt()) {
                throw new InputException(origin + ": " + key + " holds " + entry + ", not an integer");
            }
            out.add(entry.intValue());
        }
        return out;
    }

    /** A list of finite numbers; empty when missing. */
    public List<Float> numbers(String key) {
        JsonNode value = root.get(key);
        List<Float> out = new ArrayList<>();
        if (value == null || value.isNull()) {
            return out;
        }
        if (!value.isArray()) {
            throw new InputException(origin + ": " + key + " is " + value + ", not a list of numbers");
        }
        for (JsonNode entry : value) {
            if (!entry.isNumber() || !Float.isFinite(entry.floatValue())) {
                throw new InputException(origin + ": " + key + " holds " + entry + ", not a number");
            }
            out.add(entry.floatValue());
        }
        return out;
    }

    /** Notes a contradiction when the key is there with another value than the tensors imply. */
    public void expect(String key, Object fromTensors) {
        JsonNode value = root.get(key);
        JsonNode wanted = JsonTree.of(fromTensors);
        // Of numbers and lists null says nothing; of names it says that there is none.
        if (value == null || value.isNull() && !wanted.isTextual()) {
            return;
        }
        if (!value.equals(wanted)) {
            contradictions.add(key + " is " + value + ", the tensors say " + wanted);
        }
    }

    /** Fails when any {@link #expect} found a contradiction. */
    public void check() {
        if (!contradictions.isEmpty()) {
            throw new InputException(origin + " does not belong to the weights beside it: "
                    + String.join("; ", contradictions));
        }
    }
}
