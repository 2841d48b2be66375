package jdiffusion.emulator;

import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.TreeMap;

/** Runs kernels. Launches may come from several threads; each returns when its grid is done. */
public final class Executor implements AutoCloseable {
    private final DeviceMemory memory;
    private final EmulatorOptions options;

    /** An executor whose kernels may access what {@code memory} lists. */
    public Executor(DeviceMemory memory, EmulatorOptions options) {
        this.memory = memory;
        this.options = options;
    }

    public DeviceMemory memory() {
        return memory;
    }

    public EmulatorOptions options() {
        return options;
    }

    /**
     * Runs a grid to its end.
     *
     * @param dynamicShared bytes of dynamic shared memory per block
     * @param params the packed parameters, at least {@link PtxKernel#paramBytes()} bytes
     * @throws DeviceFault for the first fault; other blocks may have run or not
     */
    public void launch(PtxKernel kernel, Dim3 grid, Dim3 block, int dynamicShared, MemorySegment params) {
        launchBlocks(kernel, grid, block, dynamicShared, params, 0, grid.count());
    }

    /** Runs only the blocks {@code [first, first + count)} of a grid, in linear order with x fastest. */
    public void launchBlocks(PtxKernel kernel, Dim3 grid, Dim3 block, int dynamicShared, MemorySegment params,
            long first, long count) {
        throw new UnsupportedOperationException(kernel.name());
    }

    /** What was counted so far, by kernel name; empty unless the option profile is on. */
    public Map<String, KernelCounters> counters() {
        return new TreeMap<>();
    }

    /** Starts counting from zero. */
    public void resetCounters() {
    }

    @Override
    public void close() {
    }
}
