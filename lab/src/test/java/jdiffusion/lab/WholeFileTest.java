package jdiffusion.lab;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A file is whole or as it was, and a device stays one. */
class WholeFileTest {
    @TempDir
    private Path folder;

    @Test
    void takesThePlaceOfAFile() throws IOException {
        Path file = Files.writeString(folder.resolve("a"), "before");
        WholeFile.write(file, new byte[] {'n', 'o', 'w'});
        assertThat(file).hasContent("now");
        assertThat(folder).isDirectoryContaining(path -> path.equals(file)).isDirectoryNotContaining("glob:**.part");
    }

    @Test
    void aFolderIsNoFile() throws IOException {
        Path inside = Files.createDirectory(folder.resolve("b"));
        assertThatThrownBy(() -> WholeFile.write(inside, new byte[1])).isInstanceOf(IOException.class);
        assertThat(inside).isEmptyDirectory();
    }

    /** A pipe, since a device would be lost if this failed. */
    @Test
    void whatIsNoFileStaysWhatItIs() throws IOException, InterruptedException {
        Path pipe = folder.resolve("pipe");
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/mkfifo")), "no mkfifo");
        assertThat(new ProcessBuilder("/usr/bin/mkfifo", pipe.toString()).start().waitFor()).isZero();
        Process reader = new ProcessBuilder("cat", pipe.toString()).start();
        WholeFile.write(pipe, new byte[] {'o', 'u', 't'});
        assertThat(reader.inputReader().readLine()).isEqualTo("out");
        assertThat(reader.waitFor()).isZero();
        assertThat(Files.isRegularFile(pipe)).isFalse();
        assertThat(pipe).exists();
    }
}
