package jdiffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The packages of the profile dist, unpacked elsewhere and used as by somebody who has nothing but them. */
class DistributionIT {
    /** Both packages' files without their endings. */
    private static final String PACKAGES = System.getProperty("jdiffusion.dist");
    private static final List<String> TOOLS = List.of("sh", "cat", "cksum", "dirname", "find", "head", "locale", "ls",
            "mkdir", "mv", "readlink", "rm", "stty");
    private static final String PROMPT = "a red circle on a blue background";

    @TempDir
    private static Path folder;
    private static Path tools;
    /** Drawn in this JVM. */
    private static Path expected;

    @BeforeAll
    static void draw() throws IOException {
        tools = Files.createDirectory(folder.resolve("tools"));
        for (String tool : TOOLS) {
            Path found = Stream.of(System.getenv("PATH").split(":")).map(each -> Path.of(each, tool))
                    .filter(Files::isExecutable).findFirst().orElseThrow(() -> new AssertionError("no " + tool));
            Files.createSymbolicLink(tools.resolve(tool), found);
        }
        expected = folder.resolve("expected.png");
        assertThat(Cli.run("generate", PROMPT, "--device", "cpu", "-o", expected).code()).isZero();
    }

    /** JUnit would warn of links out of its folder. */
    @AfterAll
    static void deleteLinks() throws IOException {
        for (String tool : TOOLS) {
            Files.delete(tools.resolve(tool));
        }
    }

    @Test
    void withItsJavaItDrawsWhereThereIsNone() throws Exception {
        Path home = Files.createDirectory(folder.resolve("with its Java"));
        assertThat(start(new ProcessBuilder("tar", "-xf", PACKAGES + "-linux-x86_64.tar.xz", "-C", home.toString()))
                .end()).isZero();
        Path launcher = only(home).resolve("jdiffusion");
        assertThat(DocLinks.broken(launcher.getParent())).isEmpty();
        List<String> before = all(home);
        Path picture = folder.resolve("with.png");
        Run run = run(launcher, Map.of(), "generate", PROMPT, "--device", "cpu", "-o", picture.toString());
        assertThat(run.end()).as(run.err()).isZero();
        assertThat(run.err()).as("neither warnings nor preparations").startsWith("model: ");
        assertDrawn(picture);

        List<String> log = startsFromCache(launcher, Map.of());
        assertThat(log).as("code for the CPU that it was packed on")
                .noneMatch(line -> line.contains("AOT code entries"));
        assertThat(all(home)).as("files: nothing is written into the package").isEqualTo(before);
        assertHasTexts(launcher.getParent());
        try (Stream<Path> java = Files.walk(launcher.resolveSibling("java"))) {
            long bytes = java.filter(Files::isRegularFile).mapToLong(file -> file.toFile().length()).sum();
            assertThat(bytes).as("bytes of its Java").isLessThan(110_000_000);
        }
    }

    @Test
    void plainItDrawsWithAnInstalledJavaAlsoTwiceAtTheSameTime() throws Exception {
        Path home = Files.createDirectory(folder.resolve("plain"));
        unzip(Path.of(PACKAGES + ".zip"), home);
        Path launcher = only(home).resolve("jdiffusion");
        assertHasTexts(launcher.getParent());
        Path caches = folder.resolve("caches");
        Map<String, String> environment = Map.of("JAVA_HOME", System.getProperty("java.home"), "XDG_CACHE_HOME",
                caches.toString());
        List<Path> pictures = List.of(folder.resolve("one.png"), folder.resolve("two.png"));
        List<Run> runs = new ArrayList<>();
        for (Path picture : pictures) {
            runs.add(start(launcher(launcher, environment, "generate", PROMPT, "--device", "cpu", "-o",
                    picture.toString())));
        }
        for (int i = 0; i < runs.size(); i++) {
            assertThat(runs.get(i).end()).as(runs.get(i).err()).isZero();
            assertDrawn(pictures.get(i));
        }
        assertThat(Cli.names(caches.resolve("jdiffusion"))).as("caches").hasSize(1)
                .allMatch(name -> name.endsWith(".aot"));
        startsFromCache(launcher, environment);
    }

    /** Checks that the JVM has the program's classes from its cache; what it logs. */
    private static List<String> startsFromCache(Path launcher, Map<String, String> environment) throws Exception {
        Path log = Files.createTempFile(folder, "jvm", ".txt");
        Map<String, String> logging = new HashMap<>(environment);
        // The JVM splits the option at spaces, and the launcher's working folder is the file's.
        logging.put("JAVA_TOOL_OPTIONS", "-Xlog:class+load,aot+codecache+init:file=" + log.getFileName());
        Run run = run(launcher, logging, "--version");
        assertThat(run.end()).as(run.err()).isZero();
        assertThat(run.out()).startsWith("jdiffusion ").hasLineCount(1);
        assertThat(run.err()).doesNotContain("preparing");
        List<String> lines = Files.readAllLines(log, StandardCharsets.UTF_8);
        assertThat(lines).anyMatch(line -> line.contains("jdiffusion.cli.Main source: shared objects file"));
        return lines;
    }

    @Test
    void plainItDoesWithoutACacheAndSaysWhichJavaItWants() throws Exception {
        Path home = Files.createDirectory(folder.resolve("no cache"));
        unzip(Path.of(PACKAGES + ".zip"), home);
        Path launcher = only(home).resolve("jdiffusion");
        Path file = Files.createFile(folder.resolve("a file"));
        Run run = run(launcher, Map.of("JAVA_HOME", System.getProperty("java.home"), "XDG_CACHE_HOME",
                file.toString()), "--version");
        assertThat(run.end()).as(run.err()).isZero();
        assertThat(run.out()).startsWith("jdiffusion ").hasLineCount(1);
        assertThat(run.err()).doesNotContain("preparing");
    }

    private static void assertHasTexts(Path home) throws IOException {
        assertThat(Cli.names(home)).contains("LICENSE", "NOTICE", "README.md", "jdiffusion.cmd", "models");
    }

    private static void assertDrawn(Path picture) throws IOException {
        assertThat(picture).hasSameBinaryContentAs(expected);
        BufferedImage image = ImageIO.read(picture.toFile());
        int middle = image.getRGB(image.getWidth() / 2, image.getHeight() / 2);
        int corner = image.getRGB(2, 2);
        assertThat(middle >> 16 & 0xff).as("red of the circle").isGreaterThan(150 + (middle & 0xff) / 2);
        assertThat(corner & 0xff).as("blue of the background").isGreaterThan(100 + (corner >> 16 & 0xff) / 2);
    }

    private static Path only(Path folder) throws IOException {
        List<String> names = Cli.names(folder);
        assertThat(names).hasSize(1);
        return folder.resolve(names.getFirst());
    }

    private static List<String> all(Path folder) throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            return files.map(Path::toString).sorted().toList();
        }
    }

    /** With the permissions that the archive holds. */
    private static void unzip(Path zip, Path to) throws IOException {
        try (FileSystem files = FileSystems.newFileSystem(zip, Map.of("enablePosixFileAttributes", true));
             Stream<Path> entries = Files.walk(files.getPath("/"))) {
            for (Path entry : entries.toList()) {
                Path copy = to.resolve(entry.toString().substring(1));
                if (Files.isDirectory(entry)) {
                    Files.createDirectories(copy);
                } else {
                    Files.copy(entry, copy);
                    Set<PosixFilePermission> permissions = Files.getPosixFilePermissions(entry);
                    Files.setPosixFilePermissions(copy, permissions);
                }
            }
        }
    }

    private static Run run(Path launcher, Map<String, String> environment, String... args) throws IOException {
        return start(launcher(launcher, environment, args));
    }

    /** The launcher with an environment that has no Java in it. */
    private static ProcessBuilder launcher(Path launcher, Map<String, String> environment, String... args) {
        ProcessBuilder builder = new ProcessBuilder(Stream.concat(Stream.of(launcher.toString()), Stream.of(args))
                .toList());
        builder.directory(folder.toFile());
        builder.environment().clear();
        builder.environment().put("PATH", tools.toString());
        builder.environment().put("HOME", folder.resolve("nobody").toString());
        builder.environment().putAll(environment);
        return builder;
    }

    private static Run start(ProcessBuilder builder) throws IOException {
        Path out = Files.createTempFile(folder, "out", ".txt");
        Path err = Files.createTempFile(folder, "err", ".txt");
        return new Run(builder.redirectOutput(out.toFile()).redirectError(err.toFile()).start(), out, err);
    }

    private record Run(Process process, Path outFile, Path errFile) {
        /** Waits for it; its exit code. */
        int end() throws InterruptedException {
            if (!process.waitFor(5, TimeUnit.MINUTES)) {
                process.destroyForcibly();
            }
            return process.waitFor();
        }

        String out() throws IOException {
            return Files.readString(outFile, StandardCharsets.UTF_8);
        }

        String err() throws IOException {
            return Files.readString(errFile, StandardCharsets.UTF_8);
        }
    }
}
