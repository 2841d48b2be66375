package jdiffusion.model.experiment;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import jdiffusion.model.sites.Source;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.safetensors.SafetensorsFile;
import jdiffusion.tensor.safetensors.SafetensorsWriter;

/**
 * Tensors of a file, {@code .safetensors} or numpy's {@code .npz}, as float32 in memory.
 *
 * @param origin  its name
 * @param tensors by name, in the order of the run that they were recorded in, where the file says it
 */
public record TensorFile(String origin, Map<String, Tensor> tensors) implements Source {
    private static final String NPZ = ".npz";
    private static final String SAFETENSORS = ".safetensors";
    /** Of the header's metadata: names, one a line. */
    private static final String ORDER = "order";

    /** Whether a name ends as one of the formats does. */
    public static void check(Path file) {
        String name = file.toString().toLowerCase(Locale.ROOT);
        if (!name.endsWith(NPZ) && !name.endsWith(SAFETENSORS)) {
            throw new InputException(file + ": tensors are in files that end in " + SAFETENSORS + " or " + NPZ);
        }
    }

    /** @throws InputException when it cannot be read, or is neither format */
    public static TensorFile open(Path file) {
        check(file);
        if (file.toString().toLowerCase(Locale.ROOT).endsWith(NPZ)) {
            return new TensorFile(file.toString(), Npz.read(file));
        }
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        try (SafetensorsFile stored = SafetensorsFile.open(file)) {
            String order = stored.metadata().getOrDefault(ORDER, "");
            List<String> names = order.isEmpty() ? List.copyOf(stored.names()) : order.lines().toList();
            names.forEach(name -> put(stored, name, tensors));
            stored.names().forEach(name -> put(stored, name, tensors));
        }
        return new TensorFile(file.toString(), tensors);
    }

    private static void put(SafetensorsFile stored, String name, Map<String, Tensor> tensors) {
        Tensor tensor = stored.find(name);
        if (tensor != null && !tensors.containsKey(name)) {
            tensors.put(name, Tensor.of(tensor.toArray(), tensor.shape().dims()));
        }
    }

    /** Writes tensors in the format that the file's name ends in, whole or not at all. */
    public static void write(Path file, Map<String, Tensor> tensors) {
        check(file);
        if (file.toString().toLowerCase(Locale.ROOT).endsWith(NPZ)) {
            Npz.write(file, tensors);
        } else {
            SafetensorsWriter.write(file, tensors, Map.of(ORDER, String.join("\n", tensors.keySet())));
        }
    }

    public List<String> names() {
        return List.copyOf(tensors.keySet());
    }

    @Override
    public Tensor find(String name) {
        return tensors.get(name);
    }
}
