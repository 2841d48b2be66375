package jdiffusion.emulator;

import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import jdiffusion.emulator.exec.KernelCompiler;
import jdiffusion.emulator.exec.ModuleVariables;
import jdiffusion.emulator.ptx.PtxFunction;
import jdiffusion.emulator.ptx.PtxModule;
import jdiffusion.emulator.ptx.PtxParser;

/** A translated PTX module. Its module-scope variables live as long as it is reachable. */
public final class PtxProgram {
    private final PtxModule module;
    private final ModuleVariables variables;
    private final boolean steps;
    private final Map<String, PtxFunction> functions = new LinkedHashMap<>();
    private final Map<String, PtxKernel> kernels = new ConcurrentHashMap<>();

    private PtxProgram(PtxModule module, boolean steps) {
        this.module = module;
        this.steps = steps;
        this.variables = new ModuleVariables(module);
        module.kernels().forEach(function -> functions.put(function.name(), function));
    }

    /**
     * Translates PTX text to JVM bytecode.
     *
     * @param origin where the text comes from, for messages
     * @throws PtxException with the line, when the text is malformed or uses an instruction that is not supported
     */
    public static PtxProgram translate(String ptx, String origin) throws PtxException {
        PtxProgram program = new PtxProgram(PtxParser.parse(ptx, origin), false);
        program.kernels().forEach(program::kernel);
        return program;
    }

    /**
     * As {@link #translate}, but each kernel when it is first asked for, so that it does not matter what others use.
     *
     * @param steps so that a {@link Watcher} sees each instruction; such a program runs slowly
     */
    public static PtxProgram translateWhenUsed(PtxModule module, boolean steps) {
        return new PtxProgram(module, steps);
    }

    /** The architecture that the text is for, like sm_80 or sm_90a; empty where it names none. */
    public String target() {
        return module.target();
    }

    /** Names of the entry functions. */
    public Set<String> kernels() {
        return functions.keySet();
    }

    /**
     * The entry function of that name.
     *
     * @throws IllegalArgumentException when there is none
     * @throws PtxException where it was not translated before, and uses an instruction that is not supported
     */
    public PtxKernel kernel(String name) {
        PtxFunction function = functions.get(name);
        if (function == null) {
            throw new IllegalArgumentException("no kernel " + name + " among " + functions.keySet());
        }
        return kernels.computeIfAbsent(name, _ -> new PtxKernel(KernelCompiler.compile(module, function, variables,
                steps), function.maxThreads(), KernelCompiler.registers(function)));
    }

    /** True when the module has variables of its own in global or constant memory. */
    public boolean hasVariables() {
        return !variables.segments().isEmpty();
    }

    /** Memory of a module-scope {@code .global} or {@code .const} variable, or null when there is none so named. */
    public MemorySegment global(String name) {
        return variables.segments().get(name);
    }
}
