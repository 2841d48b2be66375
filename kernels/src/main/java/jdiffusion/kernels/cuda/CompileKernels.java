package jdiffusion.kernels.cuda;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * The build's step for kernels: compiles those whose sources or options have changed since their PTX was made, writes
 * it, compressed, to the resources, to be checked in, and copies it to where it is packed. Without a compiler all must
 * be up to date.
 */
final class CompileKernels {
    private CompileKernels() {
    }

    /** @param args folders: of sources, {@code src/main/java}; of resources, {@code src/main/resources}; of classes */
    public static void main(String[] args) throws IOException {
        Path root = Path.of(args[0], "jdiffusion", "kernels");
        Path resources = Path.of(args[1], "jdiffusion", "kernels");
        Path classes = Path.of(args[2], "jdiffusion", "kernels");
        List<String> stale = new ArrayList<>();
        for (String file : files(root)) {
            CuSource source = CuSource.read(file, CuSource.folder(root));
            if (!isFresh(resources, source)) {
                stale.add(file);
            }
        }
        if (stale.isEmpty()) {
            return;
        }
        Nvcc nvcc = Nvcc.find();
        if (nvcc == null) {
            System.err.println("The PTX of " + String.join(", ", stale) + " was compiled from other sources than those"
                    + " here, and no nvcc is on the PATH or in /usr/local/cuda/bin to compile it anew.");
            System.exit(1);
        }
        for (String file : stale) {
            System.out.println("Compiling " + file + ".cu");
            CuSource source = CuSource.read(file, CuSource.folder(root));
            Path ptx = resources.resolve(file + Ptx.ENDING);
            Path packed = classes.resolve(file + Ptx.ENDING);
            Files.createDirectories(ptx.getParent());
            Files.createDirectories(packed.getParent());
            Files.write(ptx, Ptx.compressed(Ptx.marked(nvcc.compile(source), source, nvcc.version())));
            Files.copy(ptx, packed, StandardCopyOption.REPLACE_EXISTING);
        }
    }

    /** All sources below a folder, as {@link CuSource#file}. */
    static List<String> files(Path root) throws IOException {
        try (Stream<Path> files = Files.walk(root)) {
            return files.filter(file -> file.toString().endsWith(".cu"))
                    .map(file -> root.relativize(file).toString().replace('\\', '/').replaceAll("\\.cu$", ""))
                    .sorted().toList();
        }
    }

    /** @param resources the folder of compiled kernels */
    static boolean isFresh(Path resources, CuSource source) throws IOException {
        Path ptx = resources.resolve(source.file() + Ptx.ENDING);
        return Files.exists(ptx) && Ptx.hash(Ptx.text(Files.readAllBytes(ptx))).equals(source.hash());
    }
}
