package jdiffusion.emulator;

import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/**
 * An architecture and the limits of its multiprocessor: CUDA C++ Programming Guide, "Technical Specifications per
 * Compute Capability". All have 65536 registers, given to warps 256 at a time, and keep 1 KiB of shared memory of each
 * block for the system.
 */
public enum Multiprocessor {
    SM_80(2048, 32, 164), SM_86(1536, 16, 100), SM_89(1536, 24, 100), SM_90(2048, 32, 228), SM_120(1536, 24, 100);

    public static final int WARP = 32;
    private static final int REGISTERS = 65536;
    private static final int REGISTERS_AT_A_TIME = 256;
    private static final int SHARED_OF_SYSTEM = 1024;

    private final int threads;
    private final int blocks;
    private final int sharedBytes;

    Multiprocessor(int threads, int blocks, int sharedKib) {
        this.threads = threads;
        this.blocks = blocks;
        this.sharedBytes = sharedKib << 10;
    }

    /** Most threads at once. */
    public int threads() {
        return threads;
    }

    /** As ptxas calls the architecture: sm_80. */
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** Blocks of that many threads, registers of a thread and bytes of shared memory that are held at once. */
    public int blocks(int block, int registersOfThread, int sharedOfBlock) {
        return limits(block, registersOfThread, sharedOfBlock).values().stream().min(Integer::compare).orElseThrow();
    }

    /**
     * Blocks that fit, by what limits them.
     *
     * @param block         its threads
     * @param registers     of a thread
     * @param sharedOfBlock bytes
     */
    public Map<String, Integer> limits(int block, int registers, int sharedOfBlock) {
        int warps = Math.ceilDiv(block, WARP);
        int ofWarp = Math.ceilDiv(registers * WARP, REGISTERS_AT_A_TIME) * REGISTERS_AT_A_TIME;
        Map<String, Integer> limits = new LinkedHashMap<>();
        limits.put("registers", REGISTERS / ofWarp / warps);
        limits.put("shared memory", (int) (sharedBytes / ((long) sharedOfBlock + SHARED_OF_SYSTEM)));
        limits.put("threads", threads / (warps * WARP));
        limits.put("blocks", blocks);
        return limits;
    }
}
