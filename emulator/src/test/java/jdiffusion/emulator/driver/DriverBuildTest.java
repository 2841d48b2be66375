package jdiffusion.emulator.driver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@NeedsCompiler
class DriverBuildTest {
    private static final List<List<String>> STRICT = List.of(List.of("cc", "-Wall", "-Wextra", "-Werror"));

    @TempDir
    Path folder;

    @Test
    void compilesWithoutWarningsOnceAndLeavesOnlyTheLibrary() throws Exception {
        Path library = DriverBuild.library(List.of(folder), STRICT);
        assertThat(library.getFileName().toString()).matches("libcuda\\.so\\.1\\.[0-9a-f]{24}");
        var written = Files.getLastModifiedTime(library);
        assertThat(DriverBuild.library(List.of(folder), List.of(List.of("no-such-compiler")))).isEqualTo(library);
        assertThat(Files.getLastModifiedTime(library)).isEqualTo(written);
        try (var files = Files.list(library.getParent())) {
            assertThat(files).containsExactly(library);
        }
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(library.getParent())))
                .isEqualTo("rwx------");
    }

    @Test
    void severalMayBuildAtOnce() {
        var builds = IntStream.range(0, 4)
                .mapToObj(i -> CompletableFuture.supplyAsync(() -> DriverBuild.library(List.of(folder), STRICT)))
                .toList();
        assertThat(builds.stream().map(CompletableFuture::join).distinct()).hasSize(1).allMatch(Files::isRegularFile);
    }

    /** Loading a file that was cut off would end the process with a bus error. */
    @Test
    void aFileThatWasChangedIsBuiltAnew() throws Exception {
        Path library = DriverBuild.library(List.of(folder), STRICT);
        byte[] whole = Files.readAllBytes(library);
        byte[] changed = whole.clone();
        changed[changed.length / 2] ^= 1;
        for (byte[] damaged : List.of(Arrays.copyOf(whole, 5000), new byte[0], changed, "other".getBytes())) {
            Files.write(library, damaged);
            assertThatThrownBy(() -> DriverBuild.library(List.of(folder), List.of(List.of("no-cc"))))
                    .isInstanceOf(EmulatorException.class);
            assertThat(DriverBuild.library(List.of(folder), STRICT)).isEqualTo(library);
            assertThat(library).hasBinaryContent(whole);
        }
        Files.delete(library);
        Path foreign = Files.write(library.resolveSibling("libcuda.so.1"), whole);
        Files.createDirectory(library.resolveSibling("libcuda.so.1.0"));
        assertThat(DriverBuild.library(List.of(folder), STRICT)).isEqualTo(library);
        assertThat(foreign).exists();
    }

    @Test
    void severalMayMendADamagedFileAtOnce() throws Exception {
        Path library = DriverBuild.library(List.of(folder), STRICT);
        byte[] whole = Files.readAllBytes(library);
        Files.write(library, new byte[10]);
        var builds = IntStream.range(0, 4)
                .mapToObj(i -> CompletableFuture.supplyAsync(() -> DriverBuild.library(List.of(folder), STRICT)))
                .toList();
        assertThat(builds.stream().map(CompletableFuture::join)).containsOnly(library);
        assertThat(library).hasBinaryContent(whole);
    }

    @Test
    void whatTheDynamicLinkerSaysIsPassedOn() throws Exception {
        Path file = Files.writeString(folder.resolve("libcuda.so.1"), "not ELF, but with room for a header".repeat(9));
        assertThat(DriverLibrary.loaderSays(file)).startsWith(file + ": ").doesNotContain("noexec")
                .doesNotContain(file + ": " + file);
    }

    @Test
    void withoutACompilerItSaysWhatToInstall() {
        assertThatThrownBy(() -> DriverBuild.library(List.of(folder), List.of(List.of("no-cc"), List.of("no-gcc"))))
                .isInstanceOf(EmulatorException.class)
                .hasMessage("the emulated device needs a C compiler (tried no-cc, no-gcc); "
                        + "install one, for example with 'apt install gcc' or 'dnf install gcc'");
    }

    @Test
    void aCompilerThatFailsIsQuoted() {
        assertThatThrownBy(() -> DriverBuild.library(List.of(folder), List.of(List.of("cc", "--no-such-option"))))
                .isInstanceOf(EmulatorException.class)
                .hasMessageContaining("the C compiler failed").hasMessageContaining("cc --no-such-option -std=gnu11")
                .hasMessageContaining("no-such-option").hasMessageNotContaining("\n");
        assertThat(OneLine.error("""
                In file included from cuda.c:9:
                cuda.c:10:10: fatal error: pthread.h: No such file or directory
                   10 | #include <pthread.h>
                compilation terminated.
                """.getBytes())).isEqualTo("cuda.c:10:10: fatal error: pthread.h: No such file or directory");
        assertThat(OneLine.error("one\n\nKilled\n\n".getBytes())).isEqualTo("Killed");
        assertThat(OneLine.error(new byte[0])).isEqualTo("it says nothing");
    }

    @Test
    void withoutAFolderItSaysWhatItTried() throws Exception {
        Path file = Files.createFile(folder.resolve("file"));
        Path shut = Files.createDirectory(folder.resolve("shut"), PosixFilePermissions.asFileAttribute(
                PosixFilePermissions.fromString("r-x------")));
        assertThatThrownBy(() -> DriverBuild.library(List.of(file, Path.of("/proc/none")), STRICT))
                .isInstanceOf(EmulatorException.class).hasMessageNotContaining("\n")
                .hasMessageStartingWith("the emulated device has no folder for its driver; set XDG_CACHE_HOME")
                .hasMessageContainingAll("tried " + file + ": is no folder", "/proc/none: cannot be made");
        assertThatThrownBy(() -> DriverBuild.library(List.of(), STRICT)).hasMessageContaining("is set");
        Path own = folder.resolve("own");
        assertThat(DriverBuild.library(List.of(file, shut.resolve("a"), own), STRICT)).exists();
    }

    @Test
    void aFolderThatOthersMayWriteToIsPassedOver() throws Exception {
        Path open = Files.createDirectory(folder.resolve("open"));
        Files.setPosixFilePermissions(open, PosixFilePermissions.fromString("rwxrwxrwx"));
        Path own = folder.resolve("own");
        assertThat(DriverBuild.library(List.of(open, own), STRICT)).startsWith(own);
        assertThatThrownBy(() -> DriverBuild.library(List.of(open), STRICT))
                .isInstanceOf(EmulatorException.class).hasMessageContaining("others may write to it");
    }

    @Test
    void theEnvironmentChoosesFolderAndCompiler() {
        assertThat(DriverBuild.cacheFolders(Map.of("XDG_CACHE_HOME", "/var/cache/me")).getFirst())
                .isEqualTo(Path.of("/var/cache/me/jdiffusion"));
        assertThat(DriverBuild.cacheFolders(Map.of("XDG_CACHE_HOME", "relative")).getFirst())
                .isEqualTo(Path.of(System.getProperty("user.home"), ".cache", "jdiffusion"));
        assertThat(DriverBuild.cacheFolders(Map.of("XDG_CACHE_HOME", "/a\0b")))
                .isEqualTo(DriverBuild.cacheFolders(Map.of()));
        assertThat(DriverBuild.cacheFolders(Map.of("XDG_CACHE_HOME", "")).getLast())
                .isEqualTo(Path.of(System.getProperty("java.io.tmpdir"),
                        "jdiffusion-" + System.getProperty("user.name")));
        assertThat(DriverBuild.compilers(Map.of("CC", "ccache gcc")))
                .containsExactly(List.of("ccache", "gcc"), List.of("cc"), List.of("gcc"), List.of("clang"));
    }
}
