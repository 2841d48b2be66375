package jdiffusion.kernels.cuda;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
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

    /** The PTX text of {@code file}: {@code "linear/linear"} for {@code jdiffusion/kernels/linear/linear.cu}. */
    String ptx(String file);
}
