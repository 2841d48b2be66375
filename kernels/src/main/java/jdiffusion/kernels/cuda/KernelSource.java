package jdiffusion.kernels.cuda;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.stream.Stream;
import jdiffusion.tensor.InputException;

/** Where a device's kernels come from. */
@FunctionalInterface
public interface KernelSource {
    /** The PTX that was compiled from the sources of this build. */
    KernelSource BUILT_IN = file -> {
        String name = "/jdiffusion/kernels/" + file + Ptx.ENDING;
        try (InputStream in = KernelSource.class.getResourceAsStream(name)) {
            if (in == null) {
                throw new IllegalStateException("the program lacks its kernels " + name);
            }
            return Ptx.text(in.readAllBytes());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    };

    /**
     * Kernels as somebody changed them: sources and headers in a folder, by their path below {@code jdiffusion/kernels}
     * or by name alone, take the place of those of the same name. What they touch is compiled when it is first used.
     */
    static KernelSource folder(Path folder) {
        if (!Files.isDirectory(folder)) {
            throw new InputException("--kernels " + folder + " is not a folder");
        }
        CuCompiler compiler = CuCompiler.find();
        return file -> {
            boolean[] changed = {false};
            CuSource source = CuSource.read(file, path -> {
                Path inTree = folder.resolve(path);
                Path byName = folder.resolve(Path.of(path).getFileName());
                Path own = Files.isRegularFile(inTree) ? inTree : Files.isRegularFile(byName) ? byName : null;
                changed[0] |= own != null;
                return own != null ? CuSource.read(own) : CuSource.builtIn().read(path);
            });
            return changed[0] ? compiler.compile(source) : BUILT_IN.ptx(file);
        };
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
}
