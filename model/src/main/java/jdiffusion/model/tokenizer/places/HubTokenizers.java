package jdiffusion.model.tokenizer.places;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import jdiffusion.model.tokenizer.TokenizerKind;

/**
 * The cache of Hugging Face's libraries: {@code models--OWNER--NAME/snapshots/REVISION/FILE}, each file a link to
 * {@code models--OWNER--NAME/blobs/HASH}; {@code refs/main} has the newest revision.
 */
final class HubTokenizers {
    private static final int MOST_REPOSITORIES = 4096;
    private static final int MOST_REVISIONS = 64;
    private static final int MOST_ENTRIES = 256;
    private static final int LONGEST_REVISION = 128;
    private static final String MODEL = "models--";

    private HubTokenizers() {
    }

    /** The folders in which a tokenizer may lie; first the repository that has the published vocabulary. */
    static List<Path> folders(Path hub, TokenizerKind kind) {
        List<Path> folders = new ArrayList<>();
        Listing.folders(hub, MOST_REPOSITORIES).stream()
                .filter(repository -> repository.getFileName().toString().startsWith(MODEL))
                .sorted(Comparator.comparingInt(repository -> rank(repository, kind)))
                .forEach(repository -> revisions(repository).forEach(revision -> {
                    folders.add(revision);
                    Listing.folders(revision, MOST_ENTRIES).stream()
                            .filter(folder -> folder.getFileName().toString().startsWith("tokenizer"))
                            .forEach(folders::add);
                }));
        return folders;
    }

    private static int rank(Path repository, TokenizerKind kind) {
        String name = repository.getFileName().toString();
        return name.equals(MODEL + kind.repository().replace("/", "--")) ? 0
                : name.toLowerCase(Locale.ROOT).contains(kind.name().toLowerCase(Locale.ROOT)) ? 1 : 2;
    }

    private static List<Path> revisions(Path repository) {
        Path snapshots = repository.resolve("snapshots");
        String newest = newest(repository.resolve("refs").resolve("main"));
        List<Path> revisions = new ArrayList<>(Listing.folders(snapshots, MOST_REVISIONS));
        revisions.sort(Comparator.comparing(revision -> !revision.getFileName().toString().equals(newest)));
        return revisions;
    }

    private static String newest(Path file) {
        try {
            return Files.isRegularFile(file) && Files.size(file) <= LONGEST_REVISION ? Files.readString(file).strip()
                    : "";
        } catch (IOException e) {
            return "";
        }
    }
}
