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
 * or beside the {@code request.json} of a whole pipeline.
 *
 * @param kind of the network; null for a pipeline
 */
public record ReferenceFolder(Path path, ReferenceKind<?> kind) {
    static final String IO = "io.safetensors";
    private static final int DEPTH = 16;

    /** All reference folders at or below a folder, in order of their paths. */
    public static List<ReferenceFolder> find(Path root) {
        if (!Files.isDirectory(root)) {
            throw new InputException(root + ": there is no such folder");
        }
        List<Path> folders;
        try (Stream<Path> paths = Files.walk(root, DEPTH, FileVisitOption.FOLLOW_LINKS)) {
            folders = paths.filter(p -> p.getFileName() != null && p.getFileName().toString().equals(IO))
                    .map(Path::getParent).sorted().toList();
        } catch (IOException | UncheckedIOException e) {
            throw new InputException(root + ": cannot be searched: " + e.getMessage(), e);
        }
        if (folders.isEmpty()) {
            throw new InputException(root + ": no " + IO + " in it or below; give a folder of reference data");
        }
        return folders.stream().map(p -> new ReferenceFolder(p, kind(p))).toList();
    }

    private static ReferenceKind<?> kind(Path folder) {
        if (Files.exists(folder.resolve("request.json"))) {
            return null;
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
        return known.stream().filter(kind -> kind.classes().contains(wanted)).findFirst()
                .orElseThrow(() -> new InputException(config.origin() + ": a reference for '" + wanted
                        + "' cannot be verified; " + known.stream().map(kind -> kind.classes().getFirst())
                                .collect(Collectors.joining(", ")) + " can"));
    }
}
