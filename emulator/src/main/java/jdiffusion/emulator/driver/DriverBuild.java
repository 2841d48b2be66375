package jdiffusion.emulator.driver;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * Compiles the stand-in driver with the system's C compiler when it is first used and keeps it in a folder of the user.
 *
 * <p>The file's folder is named by a hash of the sources, the options and the processor, so it is never stale. It is
 * moved into place when it is complete; two processes that build at once both succeed.
 */
final class DriverBuild {
    /** The name that JCuda's library asks the dynamic linker for. */
    static final String SONAME = "libcuda.so.1";

    private static final List<String> SOURCES = List.of("cuda.c", "streams.h", "memory.h", "launch.h", "unsupported.h");
    private static final List<String> OPTIONS = List.of("-std=gnu11", "-O2", "-shared", "-fPIC", "-pthread",
            "-fvisibility=hidden", "-Wl,-soname," + SONAME);
    private static final List<String> COMPILERS = List.of("cc", "gcc", "clang");
    private static final int COMPILER_SECONDS = 60;

    private DriverBuild() {
    }

    /** The compiled library; throws {@link EmulatorException} when it cannot be made. */
    static Path library() {
        return library(cacheFolders(System.getenv()), compilers(System.getenv()));
    }

    /**
     * The library in the first of the folders that has it or can be written to, compiled by the first of the compilers
     * that exists.
     */
    static Path library(List<Path> folders, List<List<String>> compilers) {
        Map<String, byte[]> sources = sources();
        String key = key(sources);
        IOException refused = null;
        for (Path folder : folders) {
            try {
                Path own = privateFolder(folder.resolve("emulator-" + key));
                Path library = own.resolve(SONAME);
                if (!Files.isRegularFile(library)) {
                    compile(sources, own, library, compilers);
                }
                return library;
            } catch (IOException e) {
                refused = e;
            }
        }
        throw new EmulatorException("the emulated device has no folder for its driver (tried " + folders + "): "
                + refused, refused);
    }

    /** Where to keep the library, best first. */
    static List<Path> cacheFolders(Map<String, String> environment) {
        var folders = new ArrayList<Path>();
        String cache = environment.get("XDG_CACHE_HOME");
        if (cache != null && Path.of(cache).isAbsolute()) {
            folders.add(Path.of(cache, "jdiffusion"));
        }
        String home = System.getProperty("user.home", "");
        if (Path.of(home).isAbsolute()) {
            folders.add(Path.of(home, ".cache", "jdiffusion"));
        }
        folders.add(Path.of(System.getProperty("java.io.tmpdir"), "jdiffusion-" + System.getProperty("user.name")));
        return folders;
    }

    /** Commands to try: the variable CC when it is set (it may hold options), then the usual names. */
    static List<List<String>> compilers(Map<String, String> environment) {
        Stream<List<String>> chosen = Stream.of(environment.getOrDefault("CC", "").strip())
                .filter(command -> !command.isEmpty())
                .map(command -> Arrays.asList(command.split("\\s+")));
        return Stream.concat(chosen, COMPILERS.stream().map(List::of)).toList();
    }

    private static void compile(Map<String, byte[]> sources, Path folder, Path library, List<List<String>> compilers)
            throws IOException {
        Path scratch = Files.createTempDirectory(folder, "build");
        try {
            for (var source : sources.entrySet()) {
                Files.write(scratch.resolve(source.getKey()), source.getValue());
            }
            run(scratch, compilers);
            Files.move(scratch.resolve(SONAME), library, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            try (Stream<Path> files = Files.list(scratch)) {
                for (Path file : files.toList()) {
                    Files.delete(file);
                }
            }
            Files.delete(scratch);
        }
    }

    private static void run(Path scratch, List<List<String>> compilers) throws IOException {
        for (List<String> compiler : compilers) {
            var command = new ArrayList<>(compiler);
            command.addAll(OPTIONS);
            command.addAll(List.of("-o", SONAME, "cuda.c"));
            Path log = scratch.resolve("log");
            Process process;
            try {
                process = new ProcessBuilder(command).directory(scratch.toFile()).redirectErrorStream(true)
                        .redirectOutput(log.toFile()).start();
            } catch (IOException missing) {
                continue;
            }
            try {
                process.getOutputStream().close();
                if (!process.waitFor(COMPILER_SECONDS, TimeUnit.SECONDS)) {
                    process.destroyForcibly();
                    throw new EmulatorException("the C compiler did not finish in " + COMPILER_SECONDS + " s: "
                            + String.join(" ", command));
                }
            } catch (InterruptedException e) {
                process.destroyForcibly();
                Thread.currentThread().interrupt();
                throw new EmulatorException("interrupted while compiling the driver of the emulated device", e);
            }
            if (process.exitValue() != 0) {
                throw new EmulatorException("the C compiler failed on the driver of the emulated device: "
                        + String.join(" ", command) + "\n"
                        + new String(Files.readAllBytes(log), StandardCharsets.UTF_8));
            }
            return;
        }
        throw new EmulatorException("the emulated device needs a C compiler (tried "
                + String.join(", ", compilers.stream().map(List::getFirst).toList())
                + "); install one, for example with 'apt install gcc' or 'dnf install gcc'");
    }

    /** Creates the folder for this user only; a folder of somebody else, or one others may write to, is refused. */
    private static Path privateFolder(Path folder) throws IOException {
        var onlyUser = PosixFilePermissions.fromString("rwx------");
        Path parent = folder.getParent();
        Files.createDirectories(parent, PosixFilePermissions.asFileAttribute(onlyUser));
        Files.createDirectories(folder, PosixFilePermissions.asFileAttribute(onlyUser));
        Path probe = Files.createTempFile(folder, "owner", "");
        var user = Files.getOwner(probe);
        Files.delete(probe);
        for (Path each : List.of(parent, folder)) {
            var permissions = Files.getPosixFilePermissions(each, LinkOption.NOFOLLOW_LINKS);
            if (!Files.getOwner(each, LinkOption.NOFOLLOW_LINKS).equals(user)
                    || permissions.contains(PosixFilePermission.GROUP_WRITE)
                    || permissions.contains(PosixFilePermission.OTHERS_WRITE)) {
                throw new IOException(each + " belongs to somebody else or others may write to it");
            }
        }
        return folder;
    }

    private static Map<String, byte[]> sources() {
        var sources = new LinkedHashMap<String, byte[]>();
        for (String name : SOURCES) {
            try (InputStream in = DriverBuild.class.getResourceAsStream(name)) {
                sources.put(name, in.readAllBytes());
            } catch (IOException e) {
                throw new EmulatorException("cannot read " + name + " of the emulated device's driver: " + e, e);
            }
        }
        return sources;
    }

    private static String key(Map<String, byte[]> sources) {
        try {
            var digest = MessageDigest.getInstance("SHA-256");
            sources.forEach((name, bytes) -> {
                digest.update((name + ' ' + bytes.length + '\n').getBytes(StandardCharsets.UTF_8));
                digest.update(bytes);
            });
            digest.update((OPTIONS + System.getProperty("os.arch")).getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(digest.digest(), 0, 12);
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }
}
