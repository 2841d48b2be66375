package jdiffusion.emulator.driver;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdiffusion.emulator.Dim3;

/**
 * What one launch may ask for; the attributes that cuda.c reports are the same figures.
 *
 * @param capability compute capability, 10 times major plus minor: 80, 89 or 90
 */
record DeviceLimits(int capability) {
    static final int WARP = 32;
    static final int THREADS_PER_BLOCK = 1024;
    /** Shared memory of a block, static and dynamic, without opting in. */
    static final int SHARED_BYTES = 48 << 10;
    /** What the system takes of each block's shared memory. */
    static final int SHARED_BYTES_RESERVED = 1 << 10;

    private static final int ADA = 89;
    private static final int HOPPER = 90;
    private static final Pattern TARGET = Pattern.compile("sm_(\\d+)([af]?)");
    /** Of the devices that have clusters. */
    private static final int MULTIPROCESSORS = 132;
    private static final int MAX_GRID_YZ = 65535;
    private static final int MAX_BLOCK_Z = 64;

    int sharedBytesPerMultiprocessor() {
        return capability >= HOPPER ? 228 << 10 : capability == ADA ? 100 << 10 : 164 << 10;
    }

    private int threadsPerMultiprocessor() {
        return capability == ADA ? 1536 : 2048;
    }

    private int blocksPerMultiprocessor() {
        return capability == ADA ? 24 : 32;
    }

    /** Shared memory of a block, static and dynamic, at most. */
    int sharedBytesOptIn() {
        return sharedBytesPerMultiprocessor() - SHARED_BYTES_RESERVED;
    }

    /** Why a module for an architecture cannot be loaded, or null. */
    String obstacle(String target) {
        Matcher matcher = TARGET.matcher(target);
        if (!matcher.matches()) {
            return null;
        }
        int wanted = Integer.parseInt(matcher.group(1));
        boolean exactly = !matcher.group(2).isEmpty();
        return wanted == capability || !exactly && wanted < capability ? null
                : "the module is for %s, and the device has compute capability %d.%d".formatted(target,
                        capability / 10, capability % 10);
    }

    /** Why a launch is refused, or null when it may go ahead; {@code cluster} is null where it asks for none. */
    String refusal(Modules.Function function, Dim3 grid, Dim3 block, Dim3 cluster, int dynamicShared, long paramBytes) {
        var kernel = function.kernel();
        long threads = (long) block.x() * block.y() * block.z();
        int threadLimit = Math.min(kernel.maxThreads(), THREADS_PER_BLOCK);
        if (Math.min(grid.x(), Math.min(grid.y(), grid.z())) < 1 || grid.y() > MAX_GRID_YZ || grid.z() > MAX_GRID_YZ) {
            return "a grid of " + grid + " blocks: each count must be at least 1, y and z at most " + MAX_GRID_YZ;
        }
        if (Math.min(block.x(), Math.min(block.y(), block.z())) < 1
                || block.z() > MAX_BLOCK_Z || threads > threadLimit) {
            return "a block of " + block + " threads: at most " + threadLimit + " and z at most " + MAX_BLOCK_Z;
        }
        if (dynamicShared < 0 || dynamicShared > function.maxDynamicShared()) {
            return dynamicShared + " bytes of dynamic shared memory: at most " + function.maxDynamicShared()
                    + " (cuFuncSetAttribute raises it)";
        }
        int limit = function.maxDynamicShared() > SHARED_BYTES ? sharedBytesOptIn() : SHARED_BYTES;
        if ((long) kernel.staticSharedBytes() + dynamicShared > limit) {
            return kernel.staticSharedBytes() + " bytes of static and " + dynamicShared
                    + " of dynamic shared memory: at most " + limit + " together";
        }
        if (paramBytes < kernel.paramBytes()
                || paramBytes > Math.ceilDiv(kernel.paramBytes(), Long.BYTES) * Long.BYTES) {
            return paramBytes + " bytes of arguments: the kernel takes " + kernel.paramBytes();
        }
        if (cluster != null && capability < HOPPER) {
            return "clusters of %s blocks: the device has compute capability %d.%d, and clusters are from 9.0 on"
                    .formatted(cluster, capability / 10, capability % 10);
        }
        return kernel.clusterObstacle(grid, cluster);
    }

    /** How many blocks fit on a multiprocessor at once by threads and shared memory (registers are not modelled). */
    int blocksPerMultiprocessor(Modules.Function function, int threads, long dynamicShared) {
        int padded = Math.ceilDiv(threads, WARP) * WARP;
        long shared = function.kernel().staticSharedBytes() + dynamicShared + SHARED_BYTES_RESERVED;
        long byShared = sharedBytesPerMultiprocessor() / shared;
        return (int) Math.min(blocksPerMultiprocessor(), Math.min(threadsPerMultiprocessor() / padded, byShared));
    }

    /**
     * How many clusters of some blocks fit on the device at once. A card has its multiprocessors in groups that
     * clusters do not reach across, of sizes that differ from card to card; here they are one group.
     */
    int clusters(Modules.Function function, int threads, long dynamicShared, int blocks) {
        return MULTIPROCESSORS * blocksPerMultiprocessor(function, threads, dynamicShared) / blocks;
    }
}
