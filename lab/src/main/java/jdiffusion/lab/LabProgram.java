package jdiffusion.lab;

import java.io.IOException;
import java.nio.charset.MalformedInputException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdiffusion.emulator.DeviceFault;
import jdiffusion.emulator.PtxException;
import jdiffusion.emulator.PtxKernel;
import jdiffusion.emulator.PtxProgram;
import jdiffusion.emulator.ptx.PtxFunction;
import jdiffusion.emulator.ptx.PtxModule;
import jdiffusion.emulator.ptx.PtxParser;

/**
 * A file of kernels, ready to run.
 *
 * @param file   as it was given
 * @param ptx    its PTX text
 * @param module the same, parsed
 */
record LabProgram(Path file, String ptx, PtxModule module, PtxProgram program) {
    /** Of a race, where the other side is. */
    private static final Pattern OTHER_LINE = Pattern.compile(" at line (\\d+) `");

    /** Reads a {@code .ptx}, or compiles a {@code .cu}. */
    static LabProgram load(Path file, String architecture, List<String> compilerOptions) {
        String name = file.getFileName().toString();
        if (name.endsWith(".cu")) {
            return of(file, CudaCompiler.compile(file, architecture, compilerOptions), name + " (PTX)");
        }
        if (!name.endsWith(".ptx")) {
            throw LabException.misuse(file + ": a .ptx or a .cu is needed");
        }
        try {
            return of(file, Files.readString(file), name);
        } catch (NoSuchFileException e) {
            throw LabException.misuse(file + ": there is no such file", e);
        } catch (MalformedInputException e) {
            throw LabException.misuse(file + ": is no text", e);
        } catch (IOException e) {
            throw LabException.misuse(file + ": cannot be read (" + e.getMessage() + ")", e);
        }
    }

    /** Reads PTX text; its kernels are translated as they are launched. */
    static LabProgram of(Path file, String ptx, String origin) {
        try {
            PtxModule module = PtxParser.parse(ptx, origin);
            if (module.kernels().isEmpty()) {
                throw LabException.misuse(file + ": there is no kernel in it (no .entry)");
            }
            return new LabProgram(file, ptx, module, PtxProgram.translateWhenUsed(module, false));
        } catch (PtxException e) {
            throw LabException.misuse(e.getMessage(), e);
        }
    }

    /** The same, to be run instruction by instruction. */
    LabProgram forSteps() {
        return new LabProgram(file, ptx, module, PtxProgram.translateWhenUsed(module, true));
    }

    /** A kernel of the program, translated if it was not before. */
    PtxKernel translated(PtxFunction kernel) {
        try {
            return program.kernel(kernel.name());
        } catch (PtxException e) {
            throw LabException.misuse(e.getMessage(), e);
        }
    }

    /** Where the source has the lines of PTX of a fault, to follow its message; empty where that is not known. */
    String places(DeviceFault fault) {
        var info = new LineInfo(file, ptx);
        Matcher other = OTHER_LINE.matcher(String.valueOf(fault.getMessage()));
        String here = info.words(fault.line());
        String there = other.find() ? info.words(Integer.parseInt(other.group(1))) : "";
        String more = there.isEmpty() ? "" : ", the other one of " + there;
        return here.isEmpty() ? "" : "; the line is of " + here + more;
    }

    /** The kernel of that name, or the only one whose name in the source it is. */
    PtxFunction kernel(String name) {
        List<PtxFunction> exact = module.kernels().stream().filter(k -> k.name().equals(name)).toList();
        List<PtxFunction> found = exact.isEmpty()
                ? module.kernels().stream().filter(k -> isBase(name, k.name())).toList() : exact;
        if (found.size() == 1) {
            return found.getFirst();
        }
        String names = String.join(", ", (found.isEmpty() ? module.kernels() : found).stream()
                .map(PtxFunction::name).toList());
        throw LabException.misuse(found.isEmpty()
                ? file + ": no kernel is named " + name + "; there are " + names
                : file + ": several kernels are named " + name + ", say which: " + names);
    }

    /** Whether C++ would mangle {@code base} to this name, whatever its namespace and its arguments are. */
    private static boolean isBase(String base, String mangled) {
        return mangled.startsWith("_Z") && Pattern.compile("(?<!\\d)" + base.length() + Pattern.quote(base))
                .matcher(mangled).find();
    }
}
