package jdiffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import jdiffusion.tensor.InputException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Names of pictures, and that a file is whole or not there. */
class OutputFilesTest {
    @TempDir
    private Path folder;

    private List<String> names(String output, int count, long seed) {
        try (OutputFiles files = OutputFiles.plan(folder.resolve(output), count, seed, false, List.of())) {
            return IntStream.range(0, count).mapToObj(i -> folder.relativize(files.file(i)).toString()).toList();
        }
    }

    @Test
    void names() {
        assertThat(names("a.png", 1, 5)).containsExactly("a.png");
        assertThat(names("a.PNG", 2, 5)).containsExactly("a-0001.PNG", "a-0002.PNG");
        assertThat(names("100%.png", 2, 5)).containsExactly("100%-0001.png", "100%-0002.png");
        assertThat(names("a%d.png", 1, 5)).containsExactly("a1.png");
        assertThat(names("a_%03d.png", 2, 5)).containsExactly("a_001.png", "a_002.png");
    }

    @Test
    void aFolderIsFilledAfterItsLastNumber() throws IOException {
        assertThat(names("", 2, 5)).containsExactly("00001-5.png", "00002-6.png");
        Files.createFile(folder.resolve("00007-1.png"));
        Files.createFile(folder.resolve("99-other.txt"));
        assertThat(names("", 1, 5)).containsExactly("00008-5.png");
    }

    @Test
    void previewsStandBesideTheirPictures() {
        try (OutputFiles files = OutputFiles.plan(folder.resolve("a.png"), 2, 5, false, List.of())) {
            assertThat(files.preview(1)).isEqualTo(folder.resolve("a-0002.preview.png"));
        }
    }

    @Test
    void inputsAreKeptUnlessNamed() throws IOException {
        Path input = Files.createFile(folder.resolve("a-0001.png"));
        assertThatThrownBy(() -> OutputFiles.plan(folder.resolve("a.png"), 2, 5, false, List.of(input)))
                .isInstanceOf(InputException.class).hasMessageContaining("would be overwritten");
        OutputFiles.plan(input, 1, 5, false, List.of(input)).close();
        Path shown = Files.createFile(folder.resolve("b.preview.png"));
        assertThatThrownBy(() -> OutputFiles.plan(folder.resolve("b.png"), 1, 5, true, List.of(shown)))
                .isInstanceOf(InputException.class).hasMessageContaining("would be overwritten");
    }

    @Test
    void writesWholeFilesOnly() throws IOException {
        Path file = folder.resolve("a.png");
        OutputFiles files = OutputFiles.plan(file, 1, 5, false, List.of());
        assertThat(Cli.names(folder)).isEmpty();
        files.write(file, new byte[] {1, 2});
        files.write(file, new byte[] {3});
        assertThat(Files.readAllBytes(file)).containsExactly(3);
        files.close();
        assertThatThrownBy(() -> files.write(file, new byte[] {4})).isInstanceOf(InputException.class);
        assertThat(Files.readAllBytes(file)).containsExactly(3);
        assertThat(Cli.names(folder)).containsExactly("a.png");
    }
}
