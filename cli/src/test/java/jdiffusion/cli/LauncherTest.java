package jdiffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Which Java the launcher takes among folders with a release file and a java that prints its arguments. */
class LauncherTest {
    private static final String PLACES = "/usr/lib/jvm/* /usr/local/* /opt/* /opt/*/* ";
    private static final String NOTE = "jdiffusion: note: Java %s in %s can corrupt arrays under its default collector,"
            + " G1 (JDK-8377811); going on with the serial one. Use 25.0.3, 26.0.1 or newer.";

    @TempDir
    private Path folder;
    private Path launcher;

    /** A checkout with a space and an apostrophe in its name that is built already. */
    @BeforeEach
    void copy() throws IOException {
        assumeTrue(Files.isExecutable(Path.of("/bin/sh")), "no /bin/sh");
        String script = Files.readString(Path.of("../jdiffusion"));
        assertThat(script).contains(PLACES);
        Path checkout = Files.createDirectories(folder.resolve("it's a checkout/cli/target")).getParent().getParent();
        Files.createFile(checkout.resolve("cli/target/jdiffusion.jar"));
        Files.createFile(checkout.resolve("cli/target/built"));
        launcher = program(checkout.resolve("jdiffusion"), script.replace(PLACES, "'" + folder + "'/jvm/* "));
    }

    private static Path program(Path file, String text) throws IOException {
        Files.writeString(file, text);
        return Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    /** @param version as release files have it; null for none */
    private Path java(String place, String version) throws IOException {
        Path home = folder.resolve(place);
        if (version != null) {
            Files.createDirectories(home.resolve("bin"));
            program(home.resolve("bin/java"), "#!/bin/sh\necho \"$0\"\nfor each; do echo \"$each\"; done\n");
            Files.writeString(home.resolve("release"), "IMPLEMENTOR=\"Nobody\"\nJAVA_VERSION=\"" + version
                    + "\"\nOS_NAME=\"Linux\"\n");
        }
        return home;
    }

    private List<String> run(int code, String... args) throws IOException, InterruptedException {
        ProcessBuilder builder = new ProcessBuilder(launcher.toString()).redirectErrorStream(true);
        builder.command().addAll(List.of(args));
        builder.environment().put("JAVA_HOME", folder.resolve("home").toString());
        builder.environment().put("PATH", folder.resolve("path/bin") + ":" + System.getenv("PATH"));
        builder.environment().put("HOME", folder.resolve("user").toString());
        Process process = builder.start();
        List<String> lines = process.inputReader().lines().toList();
        assertThat(process.waitFor()).as("%s", lines).isEqualTo(code);
        return lines;
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', nullValues = "-", value = {
        // JAVA_HOME | PATH     | an installed one | of SDKMAN | taken           | with a note
        "25.0.3      | 27       | 25.0.4           | -         | home            | -",
        "25.0.3.0.1  | 21.0.8   | -                | -         | home            | -",
        "25.0.10     | 21.0.8   | -                | -         | home            | -",
        "26.0.1      | 25.0.3   | -                | -         | home            | -",
        "27-ea       | 25.0.3   | -                | -         | home            | -",
        "21.0.8      | 27.0.1   | 25.0.3           | -         | path            | -",
        "25          | 1.8.0_92 | 25.0.3           | -         | jvm/one         | -",
        "25.0.1      | 26       | 24.0.2           | 26.0.1    | user/.sdkman/candidates/java/one | -",
        "25.0.2      | 26-ea    | 17               | -         | home            | 25.0.2",
        "25          | 17       | 25.0.1           | -         | home            | 25",
        "25.0.2.1    | 17       | -                | -         | home            | 25.0.2.1",
        "9.0.4       | 11       | 26-ea            | -         | jvm/one         | 26"})
    void takes(String home, String path, String installed, String sdkman, String taken, String noted)
            throws Exception {
        java("home", home);
        java("path", path);
        java("jvm/one", installed);
        java("user/.sdkman/candidates/java/one", sdkman);
        List<String> lines = run(0, "generate", "a circle, it's red");
        Path java = folder.resolve(taken);
        assertThat(lines).contains(java.resolve("bin/java").toString(), "-XX:+UseSerialGC", "-XX:-UseZGC")
                .endsWith(launcher.resolveSibling("cli/target/jdiffusion.jar").toString(), "generate",
                        "a circle, it's red");
        if (noted == null) {
            assertThat(lines).noneMatch(line -> line.startsWith("jdiffusion: "));
        } else {
            assertThat(lines).contains(NOTE.formatted(noted, java));
        }
    }

    /** As locale says it, which complains like setlocale(LC_ALL, "") in a JVM, and then all of it would be ASCII. */
    @ParameterizedTest
    @ValueSource(strings = {"LANG=xx_YY.UTF-8", "LC_ALL=C.UTF-8 LANG=xx_YY.UTF-8", "LANG=C.UTF-8 LC_TIME=xx_YY.UTF-8",
        "LC_CTYPE=UTF-8", "LC_ALL=C", "LANG=C.UTF-8"})
    void argumentsAreUtf8(String variables) throws Exception {
        assumeTrue(locale("LC_ALL=C.UTF-8").equals(List.of("UTF-8")), "no locale C.UTF-8");
        java("home", "25.0.3");
        program(folder.resolve("home/bin/java"), "#!/bin/sh\nlocale charmap 2>&1\n");
        program(folder.resolve("as"), "#!/bin/sh\nunset LANG LANGUAGE LC_ALL LC_CTYPE LC_TIME LC_MESSAGES\n"
                + "export %s\nexec '%s' \"$@\"\n".formatted(variables, launcher.toString().replace("'", "'\\''")));
        launcher = folder.resolve("as");
        assertThat(run(0, "devices")).containsExactly("UTF-8");
    }

    private static List<String> locale(String variable) {
        try {
            return new ProcessBuilder("env", variable, "locale", "charmap").redirectErrorStream(true).start()
                    .inputReader().lines().toList();
        } catch (IOException e) {
            return List.of();
        }
    }

    @Test
    void noneIsNewEnough() throws Exception {
        java("home", "24.0.2");
        java("path", "17.0.15");
        java("jvm/one", "21");
        assertThat(run(2, "devices")).singleElement().asString().startsWith("jdiffusion: no JDK 25 or newer found;")
                .contains(folder.resolve("home").toString(), folder.resolve("path").toString());
    }
}
