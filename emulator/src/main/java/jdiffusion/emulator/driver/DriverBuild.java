package jdiffusion.emulator.driver;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
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
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * Compiles the stand-in driver with the system's C compiler when it is first used and keeps it in a folder of the user.
 *
 * <p>The file's folder is named by a hash of the sources, the options and the processor, so it is never stale. The file
 * is named by its own hash, since loading one that was cut off or changed may end the process: such a file is passed
 * over and the driver built anew. It is moved into place when it is complete; several processes may build at once.
 */
final class DriverBuild {
    /** The name that JCuda's library asks the dynamic linker for; the file holds it, and its name starts with it. */
    static final String SONAME = "libcuda.so.1";

    private static final List<String> SOURCES = List.of("cuda.c", "streams.h", "memory.h", "launch.h", "tensormap.h",
            "unsupported.h");
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
        var refusals = new ArrayList<String>();
        for (Path folder : folders) {
            try {
                Path own = privateFolder(folder.resolve("emulator-" + key));
                Path kept = kept(own);
                return kept != null ? kept : compile(sources, own, compilers);
            } catch (IOException | UncheckedIOException | UnsupportedOperationException e) {
                refusals.add(folder + ": " + reason(e));
            }
        }
        throw new EmulatorException("the emulated device has no folder for its driver; set XDG_CACHE_HOME to one that"
                + " only you can write to (" + (refusals.isEmpty() ? "neither it nor a home or temporary folder is set"
                : "tried " + String.join("; ", refusals)) + ")");
    }

    /** The exception's message without the names of files, which stand beside it, and with what its type says. */
    private static String reason(Exception e) {
        return switch (e) {
            case UncheckedIOException unchecked -> reason(unchecked.getCause());
            case AccessDeniedException _ -> "may not be written to";
            case FileAlreadyExistsException _ -> "is no folder";
            case NoSuchFileException _ -> "cannot be made";
            case FileSystemException f when f.getReason() != null -> f.getReason();
            case UnsupportedOperationException _ -> "its file system knows no permissions";
            default -> OneLine.of(e.getMessage() == null ? e.toString() : e.getMessage());
        };
    }

    /** A library in the folder that holds what its name says; null when there is none. */
    private static Path kept(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.sorted().toList()) {
                if (file.getFileName().toString().startsWith(SONAME)
                        && Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)
                        && file.getFileName().toString().equals(name(Files.readAllBytes(file)))) {
                    return file;
                }
            }
        }
        return null;
    }

    private static String name(byte[] library) {
        return SONAME + "." + hash(digest -> digest.update(library));
    }

    /** Where to keep the library, best first. */
    static List<Path> cacheFolders(Map<String, String> environment) {
        var folders = new ArrayList<Path>();
        absolute(environment.get("XDG_CACHE_HOME")).map(cache -> cache.resolve("jdiffusion")).ifPresent(folders::add);
        absolute(System.getProperty("user.home")).map(home -> home.resolve(".cache/jdiffusion"))
                .ifPresent(folders::add);
        absolute(System.getProperty("java.io.tmpdir") + "/jdiffusion-" + System.getProperty("user.name"))
                .ifPresent(folders::add);
        return folders;
    }

    /** The path that a text means, unless it is relative or has characters that this system's paths cannot have. */
    private static Optional<Path> absolute(String text) {
        try {
            return Optional.ofNullable(text).map(Path::of).filter(Path::isAbsolute);
        } catch (InvalidPathException e) {
            return Optional.empty();
        }
    }

    /** Commands to try: the variable CC when it is set (it may hold options), then the usual names. */
    static List<List<String>> compilers(Map<String, String> environment) {
        Stream<List<String>> chosen = Stream.of(environment.getOrDefault("CC", "").strip())
                .filter(command -> !command.isEmpty())
                .map(command -> Arrays.asList(command.split("\\s+")));
        return Stream.concat(chosen, COMPILERS.stream().map(List::of)).toList();
    }

    private static Path compile(Map<String, byte[]> sources, Path folder, List<List<String>> compilers)
            throws IOException {
        Path scratch = Files.createTempDirectory(folder, "build");
        try {
            for (var source : sources.entrySet()) {
                Files.write(scratch.resolve(source.getKey()), source.getValue());
            }
            run(scratch, compilers);
            Path built = scratch.resolve(SONAME);
            Path library = folder.resolve(name(Files.readAllBytes(built)));
            return Files.move(built, library, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            delete(scratch);
        }
    }

    /** Deletes a folder of files; what cannot be deleted stays, since the outcome of the build matters more. */
    private static void delete(Path folder) {
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
            Files.delete(folder);
        } catch (IOException | UncheckedIOException e) {
            // A compiler that was ended may still write.
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
                    end(process);
                    throw new EmulatorException("the C compiler did not finish in " + COMPILER_SECONDS + " s: "
                            + String.join(" ", command));
                }
            } catch (InterruptedException e) {
                end(process);
                Thread.currentThread().interrupt();
                throw new EmulatorException("interrupted while compiling the driver of the emulated device", e);
            }
            if (process.exitValue() != 0) {
                throw new EmulatorException("the C compiler failed on the driver of the emulated device: "
                        + String.join(" ", command) + ": " + OneLine.error(Files.readAllBytes(log)));
            }
            return;
        }
        throw new EmulatorException("the emulated device needs a C compiler (tried "
                + String.join(", ", compilers.stream().map(List::getFirst).toList())
                + "); install one, for example with 'apt install gcc' or 'dnf install gcc'");
    }

    private static void end(Process process) {
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
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
                throw new IOException("belongs to somebody else or others may write to it");
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
        return hash(digest -> {
            sources.forEach((name, bytes) -> {
                digest.update((name + ' ' + bytes.length + '\n').getBytes(StandardCharsets.UTF_8));
                digest.update(bytes);
            });
            digest.update((OPTIONS + System.getProperty("os.arch")).getBytes(StandardCharsets.UTF_8));
        });
    }

    private static String hash(Consumer<MessageDigest> content) {
        try {
            var digest = MessageDigest.getInstance("SHA-256");
            content.accept(digest);
            return HexFormat.of().formatHex(digest.digest(), 0, 12);
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }
}
