package jdiffusion.model.tokenizer.places;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import jdiffusion.model.TestData;

/** Folders as other programs leave them, with the vocabularies of the default model: 1024 tokens and 888. */
public final class Vocabularies {
    private Vocabularies() {
    }

    /** CLIP's two files alone. */
    public static Path clip(Path folder) throws IOException {
        return copy(TestData.defaultModel().resolve("tokenizer"), folder, "vocab.json", "merges.txt");
    }

    /** T5's one. */
    public static Path t5(Path folder) throws IOException {
        return copy(TestData.defaultModel().resolve("tokenizer_3"), folder, "spiece.model");
    }

    private static Path copy(Path from, Path folder, String... names) throws IOException {
        Files.createDirectories(folder);
        for (String name : names) {
            Files.copy(from.resolve(name), folder.resolve(name));
        }
        return folder;
    }

    /** A repository in Hugging Face's cache whose snapshot has the files of a folder as links to blobs. */
    public static Path cached(Path hub, String repository, String revision, Path files) throws IOException {
        Path folder = hub.resolve("models--" + repository.replace("/", "--"));
        Path snapshot = Files.createDirectories(folder.resolve("snapshots").resolve(revision));
        Files.createDirectories(folder.resolve("blobs"));
        Files.createDirectories(folder.resolve("refs"));
        Files.writeString(folder.resolve("refs").resolve("main"), revision);
        try (var names = Files.list(files)) {
            for (Path file : List.copyOf(names.toList())) {
                Path blob = folder.resolve("blobs").resolve(revision + file.getFileName().toString().hashCode());
                Files.move(file, blob);
                Files.createSymbolicLink(snapshot.resolve(file.getFileName()), snapshot.relativize(blob));
            }
        }
        return snapshot;
    }
}
