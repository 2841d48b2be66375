package jdiffusion.model;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.safetensors.SafetensorsFile;
import jdiffusion.tensor.safetensors.SafetensorsWriter;
import org.junit.jupiter.api.Assumptions;

/** Where tests find models and reference data, and how they damage copies of them. */
public final class TestData {
    private TestData() {
    }

    /** The folder that holds {@code reference} beside the checkout; a test that asks is skipped without it. */
    public static Path shared() {
        String named = System.getenv("JDIFFUSION_SHARED");
        if (named != null) {
            return Path.of(named);
        }
        Path found = upwards("shared/reference");
        return found == null
                ? Assumptions.abort("no shared/reference beside the checkout and JDIFFUSION_SHARED is not set")
                : found.getParent();
    }

    public static Path reference() {
        return shared().resolve("reference");
    }

    /** The project's own small model. */
    public static Path defaultModel() {
        return upwards("models/shapes");
    }

    /** Reference pipelines of the default model that are part of the project, unpacked; the folder's others beside. */
    public static Path pipelines() {
        return Unpacked.REFERENCE.resolve("pipelines");
    }

    /** The project's reference data, whose files of tensors are packed. */
    private static final class Unpacked {
        private static final String PACKED = ".gz";
        private static final Path REFERENCE = unpack();

        private static Path unpack() {
            Path module = defaultModel().resolve("../../model").normalize();
            Path from = module.resolve("src/test/resources/reference");
            Path to = module.resolve("target/reference");
            try (Stream<Path> all = Files.walk(from)) {
                Files.createDirectories(to);
                Path part = Files.createTempFile(to.getParent(), "reference", ".part");
                for (Path file : all.filter(Files::isRegularFile).toList()) {
                    String name = from.relativize(file).toString();
                    boolean packed = name.endsWith(PACKED);
                    Path out = to.resolve(packed ? name.substring(0, name.length() - PACKED.length()) : name);
                    Files.createDirectories(out.getParent());
                    try (InputStream plain = Files.newInputStream(file);
                            InputStream in = packed ? new GZIPInputStream(plain) : plain) {
                        Files.copy(in, part, StandardCopyOption.REPLACE_EXISTING);
                    }
                    // At once, since another JVM may read what it has unpacked.
                    Files.move(part, out, StandardCopyOption.ATOMIC_MOVE);
                }
                return to;
            } catch (IOException e) {
                throw new AssertionError("cannot unpack " + from, e);
            }
        }
    }

    private static Path upwards(String name) {
        for (Path at = Path.of("").toAbsolutePath(); at != null; at = at.getParent()) {
            if (Files.isDirectory(at.resolve(name))) {
                return at.resolve(name);
            }
        }
        return null;
    }

    public static JsonNode json(Path file) {
        try {
            return new ObjectMapper().readTree(file.toFile());
        } catch (IOException e) {
            throw new AssertionError("cannot read " + file, e);
        }
    }

    /** Names of the tensors in a safetensors file. */
    public static List<String> names(Path file) {
        try (SafetensorsFile tensors = SafetensorsFile.open(file)) {
            return List.copyOf(tensors.names());
        }
    }

    /** The values of one tensor of a safetensors file. */
    public static float[] floats(Path file, String name) {
        try (SafetensorsFile tensors = SafetensorsFile.open(file)) {
            return tensors.find(name).toArray();
        }
    }

    /** A copy of the default model in a folder of the test's own. */
    public static Path copyOfDefaultModel(Path into) throws IOException {
        return copy(defaultModel(), into);
    }

    /** A copy of a model's folder in a folder of the test's own. */
    public static Path copy(Path from, Path into) throws IOException {
        try (Stream<Path> files = Files.walk(from)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Path to = into.resolve(from.relativize(file).toString());
                Files.createDirectories(to.getParent());
                Files.copy(file, to);
            }
        }
        return into;
    }

    /** Writes a safetensors file again with its tensors changed. */
    public static void rewrite(Path file, Consumer<Map<String, Tensor>> change) throws IOException {
        Path written = file.resolveSibling("written");
        try (SafetensorsFile tensors = SafetensorsFile.open(file)) {
            Map<String, Tensor> all = new TreeMap<>();
            tensors.names().forEach(name -> all.put(name, tensors.find(name)));
            change.accept(all);
            SafetensorsWriter.write(written, all, Map.of());
        }
        Files.move(written, file, StandardCopyOption.REPLACE_EXISTING);
    }
}
