package jdiffusion.emulator;

/**
 * How kernels are run.
 *
 * @param check report shared-memory races, uses of shared memory to which a copy is under way, reads of uninitialised
 *              shared memory and divergent barriers
 * @param profile collect {@link KernelCounters}
 * @param seed varies the order in which the warps of a block run, and when asynchronous copies land
 * @param threads worker threads, each of which runs one block at a time; at least 1
 * @param multiprocessor the architecture whose compute capability and limits a device reports and holds launches to
 */
public record EmulatorOptions(boolean check, boolean profile, long seed, int threads, Multiprocessor multiprocessor) {

    public EmulatorOptions {
        if (threads < 1) {
            throw new IllegalArgumentException("emulator: threads must be at least 1, not " + threads);
        }
    }

    /**
     * No check beyond memory bounds and alignment, no counters, seed 0, as many threads as there are cores, compute
     * capability 8.0.
     */
    public static EmulatorOptions defaults() {
        return new EmulatorOptions(false, false, 0, Runtime.getRuntime().availableProcessors(), Multiprocessor.SM_80);
    }

    public EmulatorOptions withCheck(boolean check) {
        return new EmulatorOptions(check, profile, seed, threads, multiprocessor);
    }

    public EmulatorOptions withProfile(boolean profile) {
        return new EmulatorOptions(check, profile, seed, threads, multiprocessor);
    }

    public EmulatorOptions withSeed(long seed) {
        return new EmulatorOptions(check, profile, seed, threads, multiprocessor);
    }

    public EmulatorOptions withMultiprocessor(Multiprocessor multiprocessor) {
        return new EmulatorOptions(check, profile, seed, threads, multiprocessor);
    }

    public EmulatorOptions withThreads(int threads) {
        return new EmulatorOptions(check, profile, seed, threads, multiprocessor);
    }
}
