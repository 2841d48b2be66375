package jdiffusion.model.verify;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.BiFunction;
import jdiffusion.model.reference.Comparison;

/**
 * A kind of file of reference data that needs no network.
 *
 * @param name  of the file
 * @param other that lies beside it; null for none
 * @param check recomputes, from the file and the default model's folder
 */
record DataKind(String name, String other, BiFunction<Path, Path, List<Comparison>> check) {
    /** In the order in which a folder's files are looked at. */
    static final List<DataKind> ALL = List.of(
            new DataKind("schedules.json", "walks.safetensors", (file, _) -> WalkReference.check(file)),
            new DataKind("more.json", "more_walks.safetensors", (file, _) -> WalkReference.check(file)),
            new DataKind("sigmas.json", null, (file, _) -> LevelReference.check(file)),
            new DataKind("randn.safetensors", null, (file, _) -> RandomReference.check(file)),
            new DataKind("ids.json", "strings.json", IdReference::check),
            new DataKind("tokenizer_ids.json", null, IdReference::check),
            new DataKind("captions.json", null, (file, _) -> CaptionReference.check(file)));

    /** Whether a file is of this kind. */
    boolean fits(Path file) {
        return file.getFileName().toString().equals(name)
                && (other == null || Files.isRegularFile(file.resolveSibling(other)));
    }
}
