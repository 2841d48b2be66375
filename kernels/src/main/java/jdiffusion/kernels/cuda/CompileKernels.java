package jdiffusion.kernels.cuda;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * The build's step for kernels: compiles those whose sources or options have changed since their PTX was made, writes
 * it and its {@link LineTable}, compressed, to the resources, to be checked in, and to where they are packed. Without a
 * compiler all must be up to date.
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
            System.err.println("The PTX of " + String.join(", ", stale) + " or its line table was compiled from other"
                    + " sources than those here, and no nvcc is on the PATH or in /usr/local/cuda/bin to compile it"
                    + " anew.");
            System.exit(1);
        }
        for (String file : stale) {
            System.out.println("Compiling " + file + ".cu");
            CuSource source = CuSource.read(file, CuSource.folder(root));
            String ptx = Ptx.marked(nvcc.compile(source, false), source, nvcc.version());
            LineTable lines = LineTable.of(nvcc.compile(source, true), ptx, source.texts().keySet());
            String twin = PtxTwin.of(file);
            // In alphabetical order it comes first.
            boolean alone = twin == null || !Files.exists(resources.resolve(twin + Ptx.ENDING));
            write(file + Ptx.ENDING, Ptx.compressed(alone ? ptx : PtxTwin.stored(ptx, twin, read(resources, twin))),
                    resources, classes);
            write(file + LineTable.ENDING, lines.pack(), resources, classes);
        }
    }

    /** PTX among the resources. */
    static String read(Path resources, String file) {
        try {
            return PtxTwin.restored(Ptx.text(Files.readAllBytes(resources.resolve(file + Ptx.ENDING))),
                    other -> read(resources, other));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void write(String name, byte[] bytes, Path... folders) throws IOException {
        for (Path folder : folders) {
            Files.createDirectories(folder.resolve(name).getParent());
            Files.write(folder.resolve(name), bytes);
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

    /**
     * Whether the PTX is of that source, and the line table of that PTX.
     *
     * @param resources the folder of compiled kernels
     */
    static boolean isFresh(Path resources, CuSource source) throws IOException {
        Path file = resources.resolve(source.file() + Ptx.ENDING);
        Path lines = resources.resolve(source.file() + LineTable.ENDING);
        String twin = PtxTwin.of(source.file());
        if (!Files.exists(file) || !Files.exists(lines)
                || twin != null && !Files.exists(resources.resolve(twin + Ptx.ENDING))) {
            return false;
        }
        String ptx = read(resources, source.file());
        return Ptx.hash(ptx).equals(source.hash())
                && LineTable.unpack(Files.readAllBytes(lines)).hash().equals(Ptx.sha256(ptx));
    }
}
