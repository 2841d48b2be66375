package jdiffusion.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** The model of the repository, and copies of it that tests may damage. */
final class TestModel {
    static final Path SHAPES = DefaultModel.find();

    private TestModel() {
    }

    static Path copy(Path to) throws IOException {
        try (Stream<Path> entries = Files.walk(SHAPES)) {
            for (Path entry : entries.toList()) {
                Files.copy(entry, to.resolve(SHAPES.relativize(entry)));
            }
        }
        return to;
    }
}
