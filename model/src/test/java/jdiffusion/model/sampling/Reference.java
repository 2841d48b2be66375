package jdiffusion.model.sampling;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Reads the reference files that lie outside the repository; a test that asks for them is skipped without them. */
final class Reference {
    private static final ObjectMapper JSON = new ObjectMapper();

    private Reference() {
    }

    /** The folder {@code shared/reference}, beside or above the working directory or where JDIFFUSION_SHARED says. */
    static Path folder() {
        var found = find();
        assumeTrue(found != null, "no folder shared/reference here; set JDIFFUSION_SHARED to the folder shared");
        return found;
    }

    private static Path find() {
        var set = System.getenv("JDIFFUSION_SHARED");
        if (set != null) {
            var folder = Path.of(set, "reference");
            return Files.isDirectory(folder) ? folder : null;
        }
        for (var at = Path.of("").toAbsolutePath(); at != null; at = at.getParent()) {
            var folder = at.resolve("shared/reference");
            if (Files.isDirectory(folder)) {
                return folder;
            }
        }
        return null;
    }

    static JsonNode json(Path file) {
        try {
            return JSON.readTree(file.toFile());
        } catch (IOException e) {
            throw new AssertionError("cannot read " + file, e);
        }
    }

    /** Names of the tensors in a safetensors file. */
    static List<String> names(Path file) {
        var names = new ArrayList<String>();
        header(bytes(file)).fieldNames().forEachRemaining(names::add);
        names.remove("__metadata__");
        return names;
    }

    /** The values of one F32 tensor of a safetensors file. */
    static float[] floats(Path file, String name) {
        var data = bytes(file);
        var entry = header(data).required(name);
        if (!entry.required("dtype").asText().equals("F32")) {
            throw new AssertionError(name + " is " + entry);
        }
        int begin = entry.required("data_offsets").required(0).intValue();
        int end = entry.required("data_offsets").required(1).intValue();
        int start = 8 + Math.toIntExact(data.getLong(0)) + begin;
        var values = new float[(end - begin) / Float.BYTES];
        data.slice(start, end - begin).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(values);
        return values;
    }

    private static ByteBuffer bytes(Path file) {
        try {
            return ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
        } catch (IOException e) {
            throw new AssertionError("cannot read " + file, e);
        }
    }

    private static JsonNode header(ByteBuffer data) {
        var text = new byte[Math.toIntExact(data.getLong(0))];
        data.get(8, text);
        try {
            return JSON.readTree(new String(text, StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new AssertionError("a safetensors header that is no JSON", e);
        }
    }
}
