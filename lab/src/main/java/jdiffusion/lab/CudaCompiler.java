package jdiffusion.lab;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Makes PTX of CUDA C++ with the first of nvcc, NVRTC and clang that this machine has. */
final class CudaCompiler {
    private static final String NVCC = "nvcc";
    private static final String CLANG = "clang++";

    private CudaCompiler() {}

    /**
     * PTX with line information.
     *
     * @param architecture such as {@code sm_80}
     * @throws LabException with the compiler's first error, or when there is no compiler
     */
    static String compile(Path source, String architecture, List<String> options) {
        if (!Files.isRegularFile(source)) {
            throw LabException.misuse(source + ": there is no such file");
        }
        if (starts(NVCC)) {
            return run(source, options(List.of(NVCC, "-ptx", "-lineinfo", "-std=c++17", "-arch=" + architecture),
                    options));
        }
        if (Nvrtc.isHere()) {
            var all = new ArrayList<>(List.of("-lineinfo", "--std=c++17", "--gpu-architecture="
                    + architecture.replace("sm_", "compute_")));
            all.addAll(options);
            return Nvrtc.compile(source, all);
        }
        if (starts(CLANG)) {
            return run(source, options(List.of(CLANG, "-x", "cuda", "--cuda-device-only", "-S", "-O3",
                    "-gline-tables-only", "--cuda-gpu-arch=" + architecture), options));
        }
        throw LabException.misuse(source + ": nvcc, NVRTC (libnvrtc.so) and clang++ are all missing on this machine,"
                + " and one of them is needed; install one, or give a .ptx made elsewhere with"
                + " 'nvcc -ptx -lineinfo -arch=" + architecture + " " + source.getFileName() + "'");
    }

    private static List<String> options(List<String> first, List<String> more) {
        var all = new ArrayList<>(first);
        all.addAll(more);
        return all;
    }

    private static boolean starts(String program) {
        try {
            return new ProcessBuilder(program, "--version").redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD).start().waitFor() == 0;
        } catch (IOException e) {
            return false;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw LabException.misuse("interrupted while " + program + " starts", e);
        }
    }

    private static String run(Path source, List<String> command) {
        try {
            Path folder = Files.createTempDirectory("jdiffusion-kernel");
            Path ptx = folder.resolve("out.ptx");
            Path log = folder.resolve("log");
            try {
                command.addAll(List.of("-o", ptx.toString(), source.toString()));
                int code = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile()).start()
                        .waitFor();
                if (code != 0 || !Files.exists(ptx)) {
                    throw LabException.misuse(source + ": " + command.getFirst() + " failed: "
                            + firstError(Files.readString(log)));
                }
                return Files.readString(ptx, StandardCharsets.UTF_8);
            } finally {
                Files.deleteIfExists(ptx);
                Files.deleteIfExists(log);
                Files.deleteIfExists(folder);
            }
        } catch (IOException e) {
            throw LabException.misuse(source + ": cannot be compiled (" + e.getMessage() + ")", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw LabException.misuse(source + ": interrupted while it was compiled", e);
        }
    }

    /** The line of a compiler's output that says what is wrong. */
    static String firstError(String log) {
        return log.lines().filter(line -> line.contains("error")).findFirst()
                .or(() -> log.lines().filter(line -> !line.isBlank()).findFirst()).orElse("it says nothing").strip();
    }
}
