import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassTransform;
import java.lang.classfile.attribute.ModuleHashesAttribute;
import java.lang.classfile.attribute.ModuleResolutionAttribute;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.spi.ToolProvider;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Adds a Java to the folder of an unpacked package, of the modules that it needs, and the JVM's cache of loaded
 * classes. Runs on the JDK that the Java is taken from, which must have {@code jlink}.
 *
 * <p>The Vector API is an incubator module, and the JVM says so at every start. Its warning is that the next Java may
 * have changed it. Here the program and the Java of its tests stay together for good, so the mark is taken off: the
 * modules are linked, taken apart, and linked again with {@code module-info.class} of {@code jdk.incubator.vector}
 * without its attribute ModuleResolution. Nothing else of it is changed.
 */
final class MakeImage {
    private static final String VECTOR = "jdk.incubator.vector";
    /** Classes that jlink makes itself, and would make a second time. */
    private static final Pattern GENERATED = Pattern.compile(
            "java\\.base/jdk/internal/module/SystemModules\\$.*\\.class");

    private final Path home;
    private final Path work;

    private MakeImage(Path home, Path work) {
        this.home = home;
        this.work = work;
    }

    /**
     * Args: the package's folder, a folder for what lies between, which is emptied, and the time that all files get.
     */
    public static void main(String[] args) throws IOException {
        MakeImage image = new MakeImage(Path.of(args[0]), Path.of(args[1]));
        image.link();
        // The JVM's cache holds the times of the jars, which the archive must not change any more.
        FileTime time = FileTime.from(Instant.parse(args[2]));
        image.rehearse(time);
        stamp(image.home, time);
    }

    private void link() throws IOException {
        delete(work);
        delete(home.resolve("java"));
        Files.createDirectories(work);
        String modules = modules();
        Path first = work.resolve("first");
        run("jlink", "--add-modules", modules, "--output", first.toString(), "--no-header-files", "--no-man-pages",
                "--strip-java-debug-attributes");
        Path packed = takeApart(first);
        run("jlink", "--module-path", packed.toString(), "--add-modules", modules, "--output",
                home.resolve("java").toString(), "--disable-plugin", "generate-jli-classes");
    }

    /** Of the JDK, all that jdeps finds the jars to use. */
    private String modules() throws IOException {
        Path lib = home.resolve("lib");
        List<String> args = new ArrayList<>(List.of("--ignore-missing-deps", "--multi-release",
                String.valueOf(Runtime.version().feature()), "--print-module-deps", "--module-path", lib.toString()));
        try (Stream<Path> jars = Files.list(lib)) {
            jars.map(Path::toString).forEach(args::add);
        }
        args.add(home.resolve("jdiffusion.jar").toString());
        String line = run("jdeps", args.toArray(String[]::new)).lines().reduce((_, last) -> last).orElse("");
        String modules = Stream.of(line.strip().split(",")).filter(name -> name.matches("(java|jdk)\\..*"))
                .collect(Collectors.joining(","));
        if (!List.of(modules.split(",")).contains(VECTOR)) {
            throw new IllegalStateException("jdeps does not find the module " + VECTOR + ", but: " + line);
        }
        return modules;
    }

    /** The modules of an image, packed again one by one; the folder. */
    private Path takeApart(Path image) throws IOException {
        Path classes = work.resolve("classes");
        Path packed = Files.createDirectories(work.resolve("packed"));
        var jimage = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "jimage").toString(),
                "extract", "--dir", classes.toString(), image.resolve("lib/modules").toString());
        start(jimage);
        // All that is not a class goes into one module, since all of it is wanted.
        Files.delete(image.resolve("lib/modules"));
        try (Stream<Path> modules = Files.list(classes)) {
            for (Path module : modules.toList()) {
                String name = module.getFileName().toString();
                dropMarks(module.resolve("module-info.class"));
                List<String> args = new ArrayList<>(List.of("create", "--compress", "zip-0", "--class-path",
                        module.toString()));
                if (name.equals("java.base")) {
                    dropGenerated(classes);
                    args.addAll(List.of("--libs", image.resolve("lib").toString(), "--cmds",
                            image.resolve("bin").toString(), "--config", image.resolve("conf").toString(),
                            "--legal-notices", image.resolve("legal").toString()));
                }
                args.add(packed.resolve(name + ".jmod").toString());
                run("jmod", args.toArray(String[]::new));
            }
        }
        return packed;
    }

    /** Takes off the mark of an incubator, and the check sums by which java.base would know that. */
    private static void dropMarks(Path moduleInfo) throws IOException {
        ClassFile file = ClassFile.of();
        Files.write(moduleInfo, file.transformClass(file.parse(moduleInfo), ClassTransform.dropping(element ->
                element instanceof ModuleResolutionAttribute || element instanceof ModuleHashesAttribute)));
    }

    private static void dropGenerated(Path classes) throws IOException {
        try (Stream<Path> files = Files.walk(classes.resolve("java.base/jdk/internal/module"))) {
            for (Path file : files.toList()) {
                if (GENERATED.matcher(classes.relativize(file).toString()).matches()) {
                    Files.delete(file);
                }
            }
        }
    }

    /** Has the launcher make the cache as it does for users, and moves it into the package. */
    private void rehearse(FileTime time) throws IOException {
        Path cache = home.resolve("jdiffusion.aot");
        Files.deleteIfExists(cache);
        stamp(home, time);
        Path caches = work.resolve("cache");
        var launcher = new ProcessBuilder("sh", home.resolve("jdiffusion").toString(), "--version");
        launcher.environment().put("XDG_CACHE_HOME", caches.toString());
        // Code that the JVM would store has instructions of this machine's CPU.
        launcher.environment().put("JAVA_TOOL_OPTIONS", "-XX:+IgnoreUnrecognizedVMOptions"
                + " -XX:+UnlockDiagnosticVMOptions -XX:-AOTAdapterCaching -XX:-AOTStubCaching");
        start(launcher);
        List<Path> made;
        try (Stream<Path> files = Files.list(caches.resolve("jdiffusion"))) {
            made = files.toList();
        }
        if (made.size() != 1 || Files.size(made.getFirst()) == 0) {
            throw new IllegalStateException("the launcher made no cache, but " + made);
        }
        Files.move(made.getFirst(), cache);
    }

    private static void start(ProcessBuilder command) throws IOException {
        Process process = command.redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes());
        try {
            if (process.waitFor() != 0) {
                throw new IllegalStateException(command.command() + " failed: " + output);
            }
        } catch (InterruptedException e) {
            process.destroy();
            throw new IllegalStateException(e);
        }
    }

    private static String run(String tool, String... args) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        int code = ToolProvider.findFirst(tool).orElseThrow(() -> new IllegalStateException(
                "no " + tool + " in " + System.getProperty("java.home") + "; a full JDK is needed"))
                .run(new PrintWriter(out), new PrintWriter(err), args);
        if (code != 0) {
            throw new IllegalStateException(tool + " failed: " + out + err);
        }
        return out.toString();
    }

    private static void stamp(Path folder, FileTime time) throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.filter(file -> !Files.isSymbolicLink(file)).toList()) {
                Files.setLastModifiedTime(file, time);
            }
        }
    }

    private static void delete(Path folder) throws IOException {
        if (!Files.exists(folder, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        Files.walkFileTree(folder, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                Files.delete(file);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path directory, IOException e) throws IOException {
                Files.delete(directory);
                return FileVisitResult.CONTINUE;
            }
        });
    }
}
