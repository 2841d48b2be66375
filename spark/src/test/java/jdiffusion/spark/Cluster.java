package jdiffusion.spark;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.Deflater;

/**
 * A standalone cluster of Spark: a master and workers as processes of their own on the loopback address, started from
 * the jars of the test's class path, with ports that the system chooses. Our own classes are not among these: an
 * application brings them in {@link #job}.
 */
final class Cluster implements AutoCloseable {
    private static final Pattern MASTER = Pattern.compile("Starting Spark master at (spark://\\S+)");
    private static final Pattern WORKER = Pattern.compile("Successfully registered with master");
    private static final Path JAVA = Path.of(System.getProperty("java.home"));

    /** What a worker runs in, which has a folder for each executor. */
    private record Worker(Process process, Path folder) {
    }

    private final Path folder;
    private final Path job;
    private final Process master;
    private final String url;
    private final Map<String, Worker> workers = new LinkedHashMap<>();

    /** @param folder an empty one for everything that the cluster writes */
    Cluster(Path folder, int count) throws IOException {
        this.folder = folder;
        Path jars = Files.createDirectories(folder.resolve("home/jars"));
        Files.createFile(folder.resolve("home/RELEASE"));
        this.job = folder.resolve("job.jar");
        List<Path> classes = new ArrayList<>();
        for (String entry : System.getProperty("java.class.path").split(File.pathSeparator)) {
            Path path = Path.of(entry);
            // Other modules are folders of classes, or jars where they are packaged.
            if (Files.isDirectory(path) || path.getFileName().toString().startsWith("jdiffusion")) {
                classes.add(path);
            } else if (Files.isRegularFile(path)) {
                Files.createSymbolicLink(jars.resolve(path.getFileName()), path);
            }
        }
        jar(classes);
        try {
            master = start("master", "org.apache.spark.deploy.master.Master", List.of("--host", "127.0.0.1", "--port",
                    "0", "--webui-port", "0"));
            url = await("master", master, MASTER);
            for (int i = 0; i < count; i++) {
                String name = "worker" + i;
                Path own = Files.createDirectory(folder.resolve(name));
                workers.put(name, new Worker(start(name, "org.apache.spark.deploy.worker.Worker", List.of("--host",
                        "127.0.0.1", "--webui-port", "0", "-c", "1", "-m", "1g", "-d", own.toString(), url)), own));
            }
            for (Map.Entry<String, Worker> worker : workers.entrySet()) {
                await(worker.getKey(), worker.getValue().process(), WORKER);
            }
        } catch (IOException | RuntimeException e) {
            close();
            throw e;
        }
    }

    /** For {@code master} of a session. */
    String url() {
        return url;
    }

    /** All classes of this project, for {@code spark.jars}. */
    Path job() {
        return job;
    }

    /** Ends the worker that has this executor, and the executor, as a machine that loses its power. */
    void kill(String executor) {
        for (Worker worker : workers.values()) {
            if (worker.process().isAlive() && runs(worker, executor)) {
                List<ProcessHandle> children = worker.process().descendants().toList();
                worker.process().destroyForcibly();
                children.forEach(ProcessHandle::destroyForcibly);
                return;
            }
        }
        throw new IllegalStateException("no worker has the executor " + executor);
    }

    private static boolean runs(Worker worker, String executor) {
        try (var applications = Files.list(worker.folder())) {
            return applications.anyMatch(application -> Files.isDirectory(application.resolve(executor)));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private Process start(String name, String main, List<String> arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of(JAVA.resolve("bin/java").toString(), "-Xmx256m",
                "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dspark.master.rest.enabled=false", "-cp",
                folder.resolve("home/jars") + "/*", main));
        command.addAll(arguments);
        ProcessBuilder builder = new ProcessBuilder(command).directory(folder.toFile()).redirectErrorStream(true);
        Map<String, String> environment = builder.environment();
        environment.keySet().removeIf(variable -> variable.startsWith("SPARK_"));
        environment.putAll(Map.of("SPARK_HOME", folder.resolve("home").toString(), "SPARK_SCALA_VERSION", "2.13",
                "JAVA_HOME", JAVA.toString(), "SPARK_LOCAL_IP", "127.0.0.1", "SPARK_LOCAL_DIRS",
                Files.createDirectories(folder.resolve("local-" + name)).toString()));
        return builder.start();
    }

    /** Reads what a process says until it is ready; the rest goes to a file. */
    private String await(String name, Process process, Pattern ready) throws IOException {
        BufferedReader said = process.inputReader();
        List<String> lines = new ArrayList<>();
        for (String line = said.readLine(); line != null; line = said.readLine()) {
            lines.add(line);
            Matcher matcher = ready.matcher(line);
            if (matcher.find()) {
                Thread.ofPlatform().daemon().start(() -> save(name, said, lines));
                return matcher.groupCount() > 0 ? matcher.group(1) : line;
            }
        }
        throw new IllegalStateException(name + " ended: " + String.join("\n", lines));
    }

    private void save(String name, BufferedReader said, List<String> first) {
        try (var out = Files.newBufferedWriter(folder.resolve(name + ".log"))) {
            for (String line : first) {
                out.write(line + "\n");
            }
            said.transferTo(out);
        } catch (IOException _) {
            // The process was killed.
        }
    }

    private void jar(List<Path> classes) throws IOException {
        Set<String> names = new HashSet<>();
        try (OutputStream file = Files.newOutputStream(job); JarOutputStream out = new JarOutputStream(file)) {
            out.setLevel(Deflater.NO_COMPRESSION);
            for (Path root : classes) {
                if (Files.isDirectory(root)) {
                    add(root, out, names);
                } else {
                    try (FileSystem packed = FileSystems.newFileSystem(root)) {
                        add(packed.getPath("/"), out, names);
                    }
                }
            }
        }
    }

    private static void add(Path root, JarOutputStream out, Set<String> names) throws IOException {
        Files.walkFileTree(root, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path path, BasicFileAttributes attributes) throws IOException {
                String name = root.relativize(path).toString().replace(File.separatorChar, '/');
                if (names.add(name)) {
                    out.putNextEntry(new JarEntry(name));
                    Files.copy(path, out);
                    out.closeEntry();
                }
                return FileVisitResult.CONTINUE;
            }
        });
    }

    @Override
    public void close() {
        List<ProcessHandle> all = new ArrayList<>();
        for (Worker worker : workers.values()) {
            all.addAll(worker.process().descendants().toList());
            all.add(worker.process().toHandle());
        }
        if (master != null) {
            all.add(master.toHandle());
        }
        all.forEach(ProcessHandle::destroyForcibly);
        for (ProcessHandle process : all) {
            process.onExit().orTimeout(10, TimeUnit.SECONDS).join();
        }
    }
}
