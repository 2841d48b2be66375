package jdiffusion.tensor.safetensors;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.InputFile;
import jdiffusion.tensor.JsonInput;

/**
 * The index of a checkpoint in several files, as the Hugging Face libraries write it
 * ({@code <base>.safetensors.index.json}): the field {@code weight_map} says in which file each tensor is.
 *
 * @param shardOf name of the file in the index's own folder, by tensor
 */
record ShardIndex(Map<String, String> shardOf) {
    private static final int LARGEST = 32 << 20;
    private static final String SUFFIX = ".safetensors";

    static ShardIndex read(Path path) {
        JsonInput json = new JsonInput(path.toString(), InputFile.bytes(path, LARGEST, "an index of shards"));
        json.object("it");
        Map<String, String> shardOf = null;
        for (String field = json.field(); field != null; field = json.field()) {
            if (!field.equals("weight_map")) {
                json.skip();
            } else if (shardOf != null) {
                throw json.fault("weight_map is there twice");
            } else {
                shardOf = readMap(json);
            }
        }
        json.end();
        if (shardOf == null || shardOf.isEmpty()) {
            throw json.fault("weight_map, which says where the tensors are, is missing or empty");
        }
        return new ShardIndex(shardOf);
    }

    /** @param totalSize bytes of all tensors */
    byte[] toJson(long totalSize) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (JsonGenerator json = new JsonFactory().createGenerator(bytes).useDefaultPrettyPrinter()) {
            json.writeStartObject();
            json.writeObjectFieldStart("metadata");
            json.writeNumberField("total_size", totalSize);
            json.writeEndObject();
            json.writeObjectFieldStart("weight_map");
            for (Map.Entry<String, String> entry : new TreeMap<>(shardOf).entrySet()) {
                json.writeStringField(entry.getKey(), entry.getValue());
            }
            json.writeEndObject();
            json.writeEndObject();
        } catch (IOException e) {
            throw new UncheckedIOException("cannot be, memory takes every byte", e);
        }
        return bytes.toByteArray();
    }

    SortedSet<String> shards() {
        return new TreeSet<>(shardOf.values());
    }

    private static Map<String, String> readMap(JsonInput json) {
        Map<String, String> shardOf = new TreeMap<>();
        json.object("weight_map");
        for (String tensor = json.field(); tensor != null; tensor = json.field()) {
            String shard = json.string("the weight_map entry " + InputException.shown(tensor));
            if (!isPlainFileName(shard)) {
                throw json.fault("weight_map puts " + InputException.shown(tensor) + " into \""
                        + InputException.shown(shard) + "\", which is not a plain file name that ends in " + SUFFIX);
            }
            if (shardOf.put(tensor, shard) != null) {
                throw json.fault("weight_map has " + InputException.shown(tensor) + " twice");
            }
        }
        return shardOf;
    }

    /** An index comes from elsewhere and must not make us read outside its folder. */
    private static boolean isPlainFileName(String name) {
        return name.toLowerCase(Locale.ROOT).endsWith(SUFFIX) && name.length() > SUFFIX.length()
                && name.chars().allMatch(c -> c > ' ' && c <= '~' && "/\\:*?\"<>|".indexOf(c) < 0);
    }
}
