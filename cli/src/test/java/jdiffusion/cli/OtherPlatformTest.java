package jdiffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * What is done in place of calls that only Linux on x86-64 has. A JVM that is told another system's name takes these
 * ways, without the native parts of JCuda, which are for Linux as well.
 */
class OtherPlatformTest {
    private static final String[] DRAW = {"generate", "a red circle", "-W", "64", "-H", "64", "--steps", "2", "--no-t5",
        "--device", "cpu", "-o"};

    @ParameterizedTest
    @CsvSource({"Windows 11, amd64", "Mac OS X, aarch64", "Linux, aarch64"})
    void drawsTheSamePictureWithoutCallsOfLinux(String system, String processor, @TempDir Path folder)
            throws Exception {
        Path here = folder.resolve("here.png");
        assertThat(Cli.run((Object[]) with(here)).code()).isZero();
        Path there = folder.resolve("there.png");
        Ran ran = run(folder, system, processor, with(there));
        assertThat(ran.code()).as(ran.err()).isZero();
        assertThat(ran.err()).contains("device: cpu, Vector API at ").doesNotContain("Exception");
        assertThat(there).hasSameBinaryContentAs(here);
    }

    @Test
    void saysWhyMachineCodeIsNotUsed(@TempDir Path folder) throws Exception {
        Ran ran = run(folder, "Windows 11", "amd64", "devices");
        assertThat(ran.code()).as(ran.err()).isZero();
        assertThat(ran.out()).contains("it is for Linux on x86-64, and this is Windows 11 on amd64")
                .contains("nvcuda.dll was not found");
    }

    @Test
    void refusesDevicesThatNeedLinux(@TempDir Path folder) throws Exception {
        assertOneLine(run(folder, "Mac OS X", "aarch64", "generate", "a cat", "--device", "emulated"),
                "the emulated device needs Linux");
        assertOneLine(run(folder, "Windows 11", "amd64", "generate", "a cat", "--device", "cuda"),
                "nvcuda.dll was not found");
        assertOneLine(run(folder, "Windows 11", "amd64", "generate", "a cat", "--cpu", "avx2"),
                "it is for Linux on x86-64, and this is Windows 11 on amd64");
    }

    @Test
    void doesWithoutThePeakOfMemory(@TempDir Path folder) {
        assertThat(ProcessMemory.peakBytes(folder.resolve("status"))).isZero();
    }

    private static void assertOneLine(Ran ran, String text) {
        assertThat(ran.code()).isNotZero();
        assertThat(ran.err().lines().filter(line -> !line.startsWith("WARNING:"))).as(ran.err()).hasSize(1)
                .allSatisfy(line -> assertThat(line).contains(text));
    }

    private static String[] with(Path picture) {
        return Stream.concat(Stream.of(DRAW), Stream.of(picture.toString())).toArray(String[]::new);
    }

    private record Ran(int code, String out, String err) {
    }

    private static Ran run(Path folder, String system, String processor, String... args)
            throws IOException, InterruptedException {
        String classes = Stream.of(System.getProperty("java.class.path").split(File.pathSeparator))
                .filter(entry -> !entry.contains("-natives-")).collect(Collectors.joining(File.pathSeparator));
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        List<String> command = new ArrayList<>(List.of(java, ChildJvm.LAUNCHERS, "-Dos.name=" + system,
                "-Dos.arch=" + processor, "-cp", classes, "jdiffusion.cli.Main"));
        command.addAll(List.of(args));
        Path out = folder.resolve("out.txt");
        Path err = folder.resolve("err.txt");
        ProcessBuilder builder = new ProcessBuilder(command).redirectOutput(out.toFile()).redirectError(err.toFile());
        builder.environment().remove("JAVA_TOOL_OPTIONS");
        Process process = builder.start();
        if (!process.waitFor(5, TimeUnit.MINUTES)) {
            process.destroyForcibly();
        }
        return new Ran(process.waitFor(), Files.readString(out, StandardCharsets.UTF_8),
                Files.readString(err, StandardCharsets.UTF_8));
    }
}
