package jdiffusion.kernels.cuda;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Stand-ins for NVIDIA's libraries, to be loaded before JCuda's bindings to them: the dynamic linker looks among the
 * loaded libraries for one that calls itself what the bindings ask for. They stay for the rest of the process.
 */
public final class StandIn {
    private static final String HEADER = "stand_in.h";

    private StandIn() {
    }

    /**
     * Compiles a C file and loads it as a library; the test is skipped where there is no C compiler.
     *
     * @param test   whose resource it is
     * @param source {@code "cublas.c"}
     * @param name   {@code "libcublas.so.12"}
     */
    public static void load(Class<?> test, String source, String name) throws IOException, InterruptedException {
        Path folder = Files.createTempDirectory("jdiffusion-stand-in");
        Path file = folder.resolve(source);
        Path header = folder.resolve(HEADER);
        Path library = folder.resolve(name);
        Path log = folder.resolve("log");
        try {
            copy(test, source, file);
            copy(StandIn.class, HEADER, header);
            Process compiler = compiler(log, "-std=c11", "-O2", "-shared", "-fPIC", "-Wl,-soname," + name, "-o",
                    library.toString(), file.toString(), "-ldl");
            assumeTrue(compiler != null, "skipped: " + source + " needs a C compiler (cc)");
            if (compiler.waitFor() != 0) {
                throw new IllegalStateException(source + " does not compile: " + Files.readString(log));
            }
            SymbolLookup.libraryLookup(library, Arena.global());
        } finally {
            for (Path each : new Path[] {file, header, library, log, folder}) {
                Files.deleteIfExists(each);
            }
        }
    }

    private static void copy(Class<?> near, String resource, Path to) throws IOException {
        try (InputStream in = near.getResourceAsStream(resource)) {
            Files.copy(in, to);
        }
    }

    private static Process compiler(Path log, String... options) {
        String[] command = new String[options.length + 1];
        command[0] = "cc";
        System.arraycopy(options, 0, command, 1, options.length);
        try {
            return new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile()).start();
        } catch (IOException e) {
            return null;
        }
    }
}
