package jdiffusion.emulator;

import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import jdiffusion.emulator.exec.KernelCompiler;
import jdiffusion.emulator.exec.ModuleVariables;
import jdiffusion.emulator.ptx.PtxFunction;
import jdiffusion.emulator.ptx.PtxModule;
import jdiffusion.emulator.ptx.PtxParser;

/** A translated PTX module. Its module-scope variables live as long as it is reachable. */
public final class PtxProgram {
    private final Map<String, PtxKernel> kernels;
    private final Map<String, MemorySegment> globals;

    PtxProgram(Map<String, PtxKernel> kernels, Map<String, MemorySegment> globals) {
        this.kernels = kernels;
        this.globals = globals;
    }

    /**
     * Translates PTX text to JVM bytecode.
     *
     * @param origin where the text comes from, for messages
     * @throws PtxException with the line, when the text is malformed or uses an instruction that is not supported
     */
    public static PtxProgram translate(String ptx, String origin) throws PtxException {
        return translate(ptx, origin, false);
    }

    /** As {@link #translate}, so that a {@link Watcher} sees each instruction; such a program runs slowly. */
    public static PtxProgram translateForSteps(String ptx, String origin) throws PtxException {
        return translate(ptx, origin, true);
    }

    private static PtxProgram translate(String ptx, String origin, boolean steps) {
        PtxModule module = PtxParser.parse(ptx, origin);
        var variables = new ModuleVariables(module);
        var kernels = new LinkedHashMap<String, PtxKernel>();
        for (PtxFunction function : module.kernels()) {
            kernels.put(function.name(), new PtxKernel(KernelCompiler.compile(module, function, variables, steps),
                    function.maxThreads(), KernelCompiler.registers(function)));
        }
        return new PtxProgram(kernels, variables.segments());
    }

    /** Names of the entry functions. */
    public Set<String> kernels() {
        return kernels.keySet();
    }

    /**
     * The entry function of that name.
     *
     * @throws IllegalArgumentException when there is none
     */
    public PtxKernel kernel(String name) {
        PtxKernel kernel = kernels.get(name);
        if (kernel == null) {
            throw new IllegalArgumentException("no kernel " + name + " among " + kernels.keySet());
        }
        return kernel;
    }

    /** True when the module has variables of its own in global or constant memory. */
    public boolean hasVariables() {
        return !globals.isEmpty();
    }

    /** Memory of a module-scope {@code .global} or {@code .const} variable, or null when there is none so named. */
    public MemorySegment global(String name) {
        return globals.get(name);
    }
}
