package jdiffusion.model.verify;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileVisitOption;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.families.Families;
import jdiffusion.model.reference.ReferenceKind;
import jdiffusion.tensor.InputException;

/**
 * A folder of reference data: {@code io.safetensors} beside the weights and {@code config.json} of one component,
 * or beside the {@code request.json} of a whole pipeline; or a file of data that no network is needed for.
 *
 * @param path of the folder, or of the file
 * @param kind of the network; null for a pipeline and for data
 * @param data kind of the file; null for what needs a network
 * @param unknown why it cannot be verified; null where it can
 */
public record ReferenceFolder(Path path, ReferenceKind<?> kind, DataKind data, String unknown) {
    static final String IO = "io.safetensors";
    private static final int DEPTH = 16;
    /** Files that are read with one of data beside them. */
    private static final List<String> READ_ALONG = List.of("strings.json", "configs.json");

    /** All references at or below a folder, or the one that is a file, in order of their paths. */
    public static List<ReferenceFolder> find(Path root) {
        if (Files.isRegularFile(root)) {
            DataKind data = data(root);
            if (data == null) {
                throw new InputException(root + ": nothing is known to verify in such a file; give a folder, or one of "
                        + DataKind.ALL.stream().map(DataKind::name).collect(Collectors.joining(", ")));
            }
            return List.of(new ReferenceFolder(root, null, data, null));
        }
        if (!Files.isDirectory(root)) {
            throw new InputException(root + ": there is no such folder");
        }
        List<ReferenceFolder> found = files(root).stream().filter(file -> named(file, IO) || data(file) != null)
                .map(file -> named(file, IO) ? ofNetwork(file.getParent())
                        : new ReferenceFolder(file, null, data(file), null)).toList();
        if (found.isEmpty()) {
            throw new InputException(root + ": no " + IO + " in it or below, nor other data that is known; give a"
                    + " folder of reference data");
        }
        return found;
    }

    /** Files at or below a folder that look like data to compare with, but of a kind that nothing is known for. */
    public static List<Path> unknown(Path root) {
        return !Files.isDirectory(root) ? List.of() : files(root).stream().filter(ReferenceFolder::isUnknown).toList();
    }

    private static boolean isUnknown(Path file) {
        Path folder = file.getParent();
        String name = file.getFileName().toString();
        boolean beside = Stream.of(IO, "request.json", "config.json", "model_index.json", "tokenizer_config.json",
                "scheduler_config.json").anyMatch(other -> Files.exists(folder.resolve(other)));
        boolean manifest = folder.getFileName() != null && folder.getFileName().toString().equals("manifests");
        return name.matches("expected\\.safetensors|io\\..*\\.safetensors") && !named(file, IO)
                || name.endsWith(".json") && !name.endsWith(".index.json") && !beside && !manifest
                        && data(file) == null && !READ_ALONG.contains(name);
    }

    private static boolean named(Path file, String name) {
        return file.getFileName() != null && file.getFileName().toString().equals(name);
    }

    private static DataKind data(Path file) {
        return DataKind.ALL.stream().filter(kind -> kind.fits(file)).findFirst().orElse(null);
    }

    private static List<Path> files(Path root) {
        try (Stream<Path> paths = Files.walk(root, DEPTH, FileVisitOption.FOLLOW_LINKS)) {
            return paths.filter(path -> path.getFileName() != null && Files.isRegularFile(path)).sorted().toList();
        } catch (IOException | UncheckedIOException e) {
            throw new InputException(root + ": cannot be searched: " + e.getMessage(), e);
        }
    }

    private static ReferenceFolder ofNetwork(Path folder) {
        if (Files.exists(folder.resolve("request.json"))) {
            return new ReferenceFolder(folder, null, null, null);
        }
        ConfigFile config = ConfigFile.read(folder.resolve("config.json"));
        String name = config.text("_class_name", "");
        if (name.isEmpty() && config.root().path("architectures").path(0).isTextual()) {
            name = config.root().path("architectures").path(0).textValue();
        }
        if (name.isEmpty()) {
            name = config.text("model_type", "");
        }
        List<ReferenceKind<?>> known = Stream.concat(
                Families.ALL.stream().flatMap(family -> family.references().stream()),
                SharedReferences.KINDS.stream()).toList();
        String wanted = name;
        ReferenceKind<?> found = known.stream().filter(kind -> kind.classes().contains(wanted)).findFirst()
                .orElse(null);
        return new ReferenceFolder(folder, found, null, found != null ? null : "references for '"
                + InputException.shown(wanted) + "' are not known here; those for " + known.stream()
                        .map(kind -> kind.classes().getFirst()).collect(Collectors.joining(", ")) + " are");
    }
}
