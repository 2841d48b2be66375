package jdiffusion.emulator.driver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DriverBuildTest {
    private static final List<List<String>> STRICT = List.of(List.of("cc", "-Wall", "-Wextra", "-Werror"));

    @TempDir
    Path folder;

    @Test
    void compilesWithoutWarningsOnceAndLeavesOnlyTheLibrary() throws Exception {
        Path library = DriverBuild.library(List.of(folder), STRICT);
        assertThat(library.getFileName()).hasToString("libcuda.so.1");
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
                .hasMessageContaining("the C compiler failed").hasMessageContaining("cc --no-such-option -std=gnu11");
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
        assertThat(DriverBuild.compilers(Map.of("CC", "ccache gcc")))
                .containsExactly(List.of("ccache", "gcc"), List.of("cc"), List.of("gcc"), List.of("clang"));
    }
}
