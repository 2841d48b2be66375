package jdiffusion.model.checkpoint;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.InputFile;
import jdiffusion.tensor.PlainText;

/**
 * The cache of the Hugging Face libraries, which keeps a repository as {@code models--ORG--NAME/snapshots/COMMIT} and
 * says in {@code refs/main} which commit was the newest.
 */
public final class HubCache {
    private static final int LONGEST_REF = 1 << 10;

    private HubCache() {
    }

    /**
     * The files of the repository whose folder in the cache this is; any other path as it is.
     *
     * @throws InputException when the folder has several snapshots and does not say which is meant, or none
     */
    public static Path snapshot(Path path) {
        Path snapshots = path.resolve("snapshots");
        if (!Files.isDirectory(snapshots) || !Files.isDirectory(path.resolve("blobs"))
                && !Files.isDirectory(path.resolve("refs"))) {
            return path;
        }
        Path main = path.resolve("refs").resolve("main");
        if (InputFile.isThere(main)) {
            String commit = new String(PlainText.utf8(InputFile.bytes(main, LONGEST_REF, "a reference to a snapshot")),
                    StandardCharsets.UTF_8).strip();
            if (commit.matches("[\\w-]+") && Files.isDirectory(snapshots.resolve(commit))) {
                return snapshots.resolve(commit);
            }
        }
        List<Path> all;
        try (Stream<Path> entries = Files.list(snapshots)) {
            all = entries.filter(Files::isDirectory).sorted().toList();
        } catch (IOException e) {
            throw InputFile.unreadable(snapshots, e);
        }
        if (all.size() == 1) {
            return all.getFirst();
        }
        throw new InputException(path + ": is a repository in the cache of Hugging Face's tools, but " + (all.isEmpty()
                ? "none of its snapshots is there; download it again"
                : "refs/main names none of its snapshots; give one of "
                        + all.stream().map(Path::toString).collect(Collectors.joining(", "))));
    }
}
