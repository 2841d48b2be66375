package jdiffusion.kernels.cuda;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import jdiffusion.kernels.DeviceException;

/** The compiler of a CUDA toolkit, as a program. */
final class Nvcc implements CuCompiler {
    private final Path program;

    private Nvcc(Path program) {
        this.program = program;
    }

    /** The one on the PATH or in a toolkit's usual place; null when there is none. */
    static Nvcc find() {
        Path program = program("nvcc");
        return program == null ? null : new Nvcc(program);
    }

    /** A program of a CUDA toolkit; null when it is not there. */
    static Path program(String name) {
        List<String> folders = new ArrayList<>(List.of(System.getenv().getOrDefault("PATH", "")
                .split(File.pathSeparator)));
        if (System.getenv("CUDA_HOME") != null) {
            folders.add(System.getenv("CUDA_HOME") + "/bin");
        }
        folders.add("/usr/local/cuda/bin");
        return folders.stream().filter(folder -> !folder.isEmpty())
                .flatMap(folder -> Stream.of(Path.of(folder, name), Path.of(folder, name + ".exe")))
                .filter(Files::isExecutable).findFirst().orElse(null);
    }

    @Override
    public String version() {
        String output = run(List.of(program.toString(), "--version")).output;
        return "nvcc " + output.lines().filter(line -> line.contains("release")).findFirst()
                .map(line -> line.substring(line.lastIndexOf('V'))).orElse("of unknown version");
    }

    /** Why it compiles nothing, a line for the user; null when it does. It reads sources by a host's C++ compiler. */
    String obstacle() {
        try {
            Path empty = Files.createTempFile("jdiffusion", ".cu");
            try {
                Result result = run(List.of(program.toString(), "-E", empty.toString()));
                return result.code == 0 ? null : program + " does not work: "
                        + String.join("; ", result.output.lines().map(String::strip).limit(3).toList());
            } finally {
                Files.delete(empty);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public String compile(CuSource source, boolean lines) {
        try {
            Path folder = Files.createTempDirectory("jdiffusion-kernels");
            try {
                for (Map.Entry<String, String> text : source.texts().entrySet()) {
                    Path file = folder.resolve(text.getKey());
                    Files.createDirectories(file.getParent());
                    Files.writeString(file, text.getValue());
                }
                Path ptx = folder.resolve("out.ptx");
                List<String> command = new ArrayList<>(List.of(program.toString()));
                command.addAll(source.architecture().options());
                if (lines) {
                    command.add("-lineinfo");
                }
                command.addAll(List.of("-I", folder.resolve("cuda").toString(), "-o", ptx.toString(),
                        folder.resolve(source.file() + ".cu").toString()));
                Result result = run(command);
                if (result.code != 0) {
                    throw new DeviceException(source.file() + ".cu does not compile: "
                            + CuCompiler.firstErrors(result.output.replace(folder + File.separator, "")));
                }
                return Ptx.portable(Files.readString(ptx), source.architecture());
            } finally {
                delete(folder);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** What a program printed on both streams, and its exit code. */
    record Result(int code, String output) {
    }

    static Result run(List<String> command) {
        try {
            Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
            process.getOutputStream().close();
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            return new Result(process.waitFor(), output);
        } catch (IOException e) {
            throw new DeviceException(command.getFirst() + " cannot be started: " + e.getMessage(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new DeviceException("interrupted while waiting for " + command.getFirst(), e);
        }
    }

    private static void delete(Path folder) throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }
}
