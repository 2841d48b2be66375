package jdiffusion.model.verify;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import jdiffusion.model.JsonTree;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.InputFile;

/** Reading of files of reference data. */
final class DataFiles {
    private static final int LARGEST = 64 << 20;

    private DataFiles() {
    }

    static JsonNode json(Path file) {
        return JsonTree.read(InputFile.bytes(file, LARGEST, "a file of reference data"), file.toString());
    }

    /** A field that must be there. */
    static JsonNode field(Path file, JsonNode json, String name) {
        if (!json.has(name)) {
            throw new InputException(file + ": " + name + " is missing; is this a complete reference?");
        }
        return json.get(name);
    }

    static float[] floats(JsonNode list) {
        float[] values = new float[list.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) list.get(i).asDouble();
        }
        return values;
    }
}
