package jdiffusion.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FilesTest {
    @TempDir
    Path folder;

    private void assertRejected(Path path, String message) {
        assertThatThrownBy(() -> InputFile.open(path)).isInstanceOf(InputException.class)
                .hasMessage(path + ": " + message);
    }

    private List<String> names() throws IOException {
        try (Stream<Path> list = Files.list(folder)) {
            return list.map(p -> p.getFileName().toString()).sorted().toList();
        }
    }

    @Test
    void readsAFileWhole() throws IOException {
        Path path = Files.write(folder.resolve("f"), new byte[] {1, 2, 3});
        assertThat(InputFile.bytes(path, 3, "it")).containsExactly(1, 2, 3);
        assertThatThrownBy(() -> InputFile.bytes(path, 2, "a config")).isInstanceOf(InputException.class)
                .hasMessage(path + ": has 3 bytes, but a config has at most 2; is this the right file?");
        try (var channel = InputFile.open(path)) {
            assertThat(channel.position()).isZero();
        }
    }

    @Test
    void saysWhatIsWrongWithAFile() throws IOException {
        assertRejected(folder, "is a folder; a plain file is needed");
        assertRejected(folder.resolve("none"), "there is no such file; check the name, or download it");
        assertRejected(folder.resolve("none/file"), "there is no such file; check the name, or download it");
        assertRejected(Files.createFile(folder.resolve("empty")), "is empty; download or write it again");
        Path pointer = Files.writeString(folder.resolve("lfs"), """
                version https://git-lfs.github.com/spec/v1
                oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393
                size 12345
                """);
        assertRejected(pointer, "is a Git LFS pointer, not the file itself; run \"git lfs pull\" in its repository or"
                + " download the file");
    }

    @Test
    void aPipeIsNotWaitedFor() {
        Path device = Path.of("/dev/zero");
        assumeTrue(Files.exists(device), "no /dev/zero");
        assertRejected(device, "is a pipe or device; a plain file is needed");
    }

    @Test
    void aFileWithoutPermission() throws IOException {
        assumeTrue(folder.getFileSystem().supportedFileAttributeViews().contains("posix"), "no permissions here");
        Path path = Files.writeString(folder.resolve("closed"), "x");
        Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("---------"));
        assumeFalse(Files.isReadable(path), "this user may read everything");
        assertRejected(path, "may not be read; check its permissions");
    }

    @Test
    void writesAndReplaces() throws IOException {
        Path path = folder.resolve("out");
        for (String text : List.of("first", "2nd")) {
            OutputFile.write(path, channel -> channel.write(ByteBuffer.wrap(text.getBytes())));
            assertThat(path).hasContent(text);
        }
        assertThat(names()).containsExactly("out");
    }

    @Test
    void aFailureLeavesTheOldFileAndNothingElse() throws IOException {
        Path path = Files.writeString(folder.resolve("out"), "old");
        assertThatThrownBy(() -> OutputFile.write(path, channel -> {
            channel.write(ByteBuffer.wrap(new byte[100]));
            throw new IOException("No space left on device");
        })).isInstanceOf(InputException.class)
                .hasMessage(path + ": cannot be written (No space left on device); make room or name another place");
        assertThatThrownBy(() -> OutputFile.write(path, channel -> {
            throw new IllegalStateException("a mistake");
        })).isInstanceOf(IllegalStateException.class);
        assertThat(path).hasContent("old");
        assertThat(names()).containsExactly("out");
    }

    @Test
    void saysWhereItCannotWrite() throws IOException {
        Path nowhere = folder.resolve("none/out");
        assertThatThrownBy(() -> OutputFile.write(nowhere, channel -> { })).isInstanceOf(InputException.class)
                .hasMessage(nowhere + ": its folder does not exist; create it or name another");
        Path taken = Files.createDirectory(folder.resolve("taken"));
        assertThatThrownBy(() -> OutputFile.write(taken, channel -> { })).isInstanceOf(InputException.class)
                .hasMessageContaining("cannot be written");
        assertThat(names()).containsExactly("taken");
    }

    @Test
    void messagesStayOnTheirLine() {
        assertThat(new InputException("a\r\n\tb\u0085c\u2028d\u202ee")).hasMessage("a b c d e");
        assertThat(InputException.shown("h\u00e9\n\ud83d\ude00\u007f~"))
                .isEqualTo("h\\u00e9\\u000a\\ud83d\\ude00\\u007f~");
        assertThat(InputException.shown("x".repeat(1_000_000))).hasSize(123);
    }
}
