package jdiffusion.emulator;

import jdiffusion.emulator.exec.CompiledKernel;

/** An entry function of a {@link PtxProgram}. */
public final class PtxKernel {
    private final CompiledKernel compiled;
    private final int maxThreads;
    private final int registers;

    PtxKernel(CompiledKernel compiled, int maxThreads, int registers) {
        this.compiled = compiled;
        this.maxThreads = maxThreads;
        this.registers = registers;
    }

    CompiledKernel compiled() {
        return compiled;
    }

    public String name() {
        return compiled.name();
    }

    /** Size of the parameters in bytes, each at its natural alignment, in order. */
    public int paramBytes() {
        return compiled.paramBytes();
    }

    /** Shared memory that the kernel declares, without the dynamic part, in bytes. */
    public int staticSharedBytes() {
        return compiled.sharedBytes();
    }

    /** Most threads per block: the product of {@code .maxntid}, or 1024 when it is not given. */
    public int maxThreads() {
        return maxThreads;
    }

    /** 32-bit virtual registers that the PTX uses (64-bit ones count twice); ptxas will need far fewer. */
    public int registers() {
        return registers;
    }
}
