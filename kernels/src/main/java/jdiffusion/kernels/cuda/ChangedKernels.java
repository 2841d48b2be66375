package jdiffusion.kernels.cuda;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/** {@link KernelSource#folder}. */
final class ChangedKernels implements KernelSource {
    private final Path folder;
    private final CuCompiler compiler;
    private final Map<String, CuCompiler.Compiled> compiled = new HashMap<>();
    /** Texts as they were compiled. */
    private final Map<String, String> texts = new HashMap<>();

    ChangedKernels(Path folder, CuCompiler compiler) {
        this.folder = folder;
        this.compiler = compiler;
    }

    @Override
    public String ptx(String file) {
        CuCompiler.Compiled own = compiled(file);
        return own != null ? own.ptx() : BUILT_IN.ptx(file);
    }

    @Override
    public Optional<LineTable> lines(String file) {
        CuCompiler.Compiled own = compiled(file);
        return own != null ? Optional.of(own.lines()) : BUILT_IN.lines(file);
    }

    @Override
    public String text(String path) {
        return texts.containsKey(path) ? texts.get(path) : BUILT_IN.text(path);
    }

    /** Null for a file that the folder does not touch. */
    private synchronized CuCompiler.Compiled compiled(String file) {
        if (compiled.containsKey(file)) {
            return compiled.get(file);
        }
        boolean[] changed = {false};
        CuSource source = CuSource.read(file, path -> {
            Path inTree = folder.resolve(path);
            Path byName = folder.resolve(Path.of(path).getFileName());
            Path own = Files.isRegularFile(inTree) ? inTree : Files.isRegularFile(byName) ? byName : null;
            changed[0] |= own != null;
            return own != null ? CuSource.read(own) : CuSource.builtIn().read(path);
        });
        CuCompiler.Compiled made = changed[0] ? compiler.compile(source) : null;
        if (made != null) {
            texts.putAll(source.texts());
        }
        compiled.put(file, made);
        return made;
    }
}
