package jdiffusion.kernels.cuda;

import java.util.List;
import jdiffusion.kernels.DeviceException;

/** Turns kernel sources into PTX. */
interface CuCompiler {
    /** Which compiler, in words. */
    String version();

    /**
     * The PTX of a source.
     *
     * @param lines whether it names the lines that it is of, as {@link LineTable} reads them
     * @throws DeviceException with the first errors in one line
     */
    String compile(CuSource source, boolean lines);

    /** The same, with the line table apart. */
    default Compiled compile(CuSource source) {
        String withLines = compile(source, true);
        String ptx = LineTable.without(withLines);
        return new Compiled(ptx, LineTable.of(withLines, ptx, source.texts().keySet()));
    }

    /** What is made of a source. */
    record Compiled(String ptx, LineTable lines) {
    }

    /**
     * NVRTC where its library is, else a toolkit's nvcc.
     *
     * @throws DeviceException when there is neither, or nvcc lacks a C++ compiler for the host
     */
    static CuCompiler find() {
        String obstacle = Nvrtc.obstacle();
        if (obstacle == null) {
            return new Nvrtc();
        }
        Nvcc nvcc = Nvcc.find();
        if (nvcc == null) {
            throw new DeviceException("kernels cannot be compiled: " + obstacle + ", and there is no nvcc on the PATH"
                    + " or in /usr/local/cuda/bin; install either");
        }
        String without = nvcc.obstacle();
        if (without != null) {
            throw new DeviceException("kernels cannot be compiled: " + obstacle + ", and " + without
                    + "; install a C++ compiler for nvcc, or NVRTC");
        }
        return nvcc;
    }

    /** Enough of a compiler's log to find the mistakes, on one line. */
    static String firstErrors(String log) {
        List<String> errors = log.lines().filter(line -> line.contains("error")).limit(3).map(String::strip).toList();
        return errors.isEmpty() ? log.strip().lines().findFirst().orElse("the compiler says nothing")
                : String.join(" | ", errors);
    }
}
