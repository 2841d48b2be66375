package jdiffusion.emulator;

/**
 * How kernels are run.
 *
 * @param check report shared-memory races, uses of shared memory to which a copy is under way, reads of uninitialised
 *              shared memory and divergent barriers
 * @param profile collect {@link KernelCounters}
 * @param seed varies the order in which the warps of a block run, and when asynchronous copies land
 * @param threads worker threads, each of which runs one block at a time; at least 1
 * @param capability compute capability that the device reports, 10 times major plus minor: 80, 89 or 90
 */
public record EmulatorOptions(boolean check, boolean profile, long seed, int threads, int capability) {
    /** The compute capability of the device unless told otherwise. */
    public static final int DEFAULT_CAPABILITY = 80;

    public EmulatorOptions {
        if (capability != DEFAULT_CAPABILITY && capability != 89 && capability != 90) {
            throw new IllegalArgumentException("emulator: the compute capability can be 80, 89 or 90, not "
                    + capability);
        }
        if (threads < 1) {
            throw new IllegalArgumentException("emulator: threads must be at least 1, not " + threads);
        }
    }

    /** No check beyond memory bounds and alignment, no counters, seed 0, as many threads as there are cores, 8.0. */
    public static EmulatorOptions defaults() {
        return new EmulatorOptions(false, false, 0, Runtime.getRuntime().availableProcessors(),
                DEFAULT_CAPABILITY);
    }

    public EmulatorOptions withCheck(boolean check) {
        return new EmulatorOptions(check, profile, seed, threads, capability);
    }

    public EmulatorOptions withProfile(boolean profile) {
        return new EmulatorOptions(check, profile, seed, threads, capability);
    }

    public EmulatorOptions withSeed(long seed) {
        return new EmulatorOptions(check, profile, seed, threads, capability);
    }

    public EmulatorOptions withThreads(int threads) {
        return new EmulatorOptions(check, profile, seed, threads, capability);
    }

    public EmulatorOptions withCapability(int capability) {
        return new EmulatorOptions(check, profile, seed, threads, capability);
    }
}
