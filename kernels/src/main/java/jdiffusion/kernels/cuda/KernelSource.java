package jdiffusion.kernels.cuda;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Optional;
import java.util.stream.Stream;
import jdiffusion.tensor.InputException;

/** Where a device's kernels come from. */
@FunctionalInterface
public interface KernelSource {
    /** The PTX that was compiled from the sources of this build. */
    KernelSource BUILT_IN = new BuiltInKernels();

    /**
     * Kernels as somebody changed them: sources and headers in a folder, by their path below {@code jdiffusion/kernels}
     * or by name alone, take the place of those of the same name. What they touch is compiled when it is first used.
     */
    static KernelSource folder(Path folder) {
        if (!Files.isDirectory(folder)) {
            throw new InputException("--kernels " + folder + " is not a folder");
        }
        return new ChangedKernels(folder, CuCompiler.find());
    }

    /** SHA-256 of all files of a folder of kernels, with their names. */
    static String fingerprint(Path folder) {
        try (Stream<Path> files = Files.walk(folder)) {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            for (Path file : files.filter(Files::isRegularFile).sorted().toList()) {
                digest.update((folder.relativize(file) + "\0").getBytes(StandardCharsets.UTF_8));
                digest.update(MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(file)));
            }
            return HexFormat.of().formatHex(digest.digest());
        } catch (IOException | UncheckedIOException e) {
            throw new InputException("--kernels " + folder + ": cannot be read (" + e.getMessage() + ")", e);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e); // every JDK has SHA-256
        }
    }

    /** The PTX text of {@code file}: {@code "linear/linear"} for {@code jdiffusion/kernels/linear/linear.cu}. */
    String ptx(String file);

    /** Which lines of the sources the PTX of a file is of; empty where that is not known. */
    default Optional<LineTable> lines(String file) {
        return Optional.empty();
    }

    /** The text of a source or header by its path below {@code jdiffusion/kernels}; null when there is none. */
    default String text(String path) {
        return CuSource.builtIn().read(path);
    }
}
