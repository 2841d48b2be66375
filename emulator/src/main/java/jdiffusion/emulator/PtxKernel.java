package jdiffusion.emulator;

/** An entry function of a {@link PtxProgram}. */
public final class PtxKernel {
    private final String name;
    private final int paramBytes;
    private final int staticSharedBytes;
    private final int maxThreads;
    private final int registers;

    PtxKernel(String name, int paramBytes, int staticSharedBytes, int maxThreads, int registers) {
        this.name = name;
        this.paramBytes = paramBytes;
        this.staticSharedBytes = staticSharedBytes;
        this.maxThreads = maxThreads;
        this.registers = registers;
    }

    public String name() {
        return name;
    }

    /** Size of the parameters in bytes, each at its natural alignment, in order. */
    public int paramBytes() {
        return paramBytes;
    }

    /** Shared memory that the kernel declares, without the dynamic part, in bytes. */
    public int staticSharedBytes() {
        return staticSharedBytes;
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
