package jdiffusion.emulator.exec;

import java.util.SplittableRandom;
import java.util.function.BooleanSupplier;
import jdiffusion.emulator.DeviceFault;
import jdiffusion.emulator.DeviceMemory;
import jdiffusion.emulator.Dim3;
import jdiffusion.emulator.Watcher;

/**
 * Runs blocks of one launch, one after the other, on one thread. The warps of a block run in an order that the seed
 * and the block's number decide, each until it waits at a barrier. They also decide when asynchronous copies land.
 */
public final class Block {
    /** Turns of all warps in which all wait for each other and nothing happens, after which nothing will. */
    private static final int MOST_IDLE = 1000;

    private final CompiledKernel kernel;
    private final DeviceMemory memory;
    private final Dim3 grid;
    private final Dim3 shape;
    private final int dynamicShared;
    private final byte[] parameters;
    private final long seed;
    private final SharedMemory shared;
    private final SharedChecker checker;
    private final Profile profile;
    private final Warp[] warps;
    private final NamedBarriers barriers = new NamedBarriers(this);
    private final StringBuilder printed = new StringBuilder();
    private final long gridBarrier;
    private final BooleanSupplier stopped;
    private final DeviceMemory.Allocation[] lastHit;
    private Dim3 index;
    private Watcher watcher;
    private SplittableRandom random;
    private BulkCopies bulk;
    private long events;
    private int idle;

    /**
     * Blocks of one launch.
     *
     * @param gridBarrier address of what the blocks of a cooperative launch meet at, else 0
     * @param profile     may be null
     * @param stopped     asked now and then whether to give up
     */
    public Block(CompiledKernel kernel, DeviceMemory memory, Dim3 grid, Dim3 shape, int dynamicShared,
            byte[] parameters, long gridBarrier, long seed, boolean check, Profile profile, BooleanSupplier stopped) {
        this.gridBarrier = gridBarrier;
        this.stopped = stopped;
        this.kernel = kernel;
        this.memory = memory;
        this.grid = grid;
        this.shape = shape;
        this.dynamicShared = dynamicShared;
        this.parameters = parameters;
        this.seed = seed;
        this.profile = profile;
        this.index = new Dim3(0, 0, 0);
        this.shared = new SharedMemory(sharedBytes());
        this.checker = check ? new SharedChecker(this, sharedBytes(), (int) shape.count()) : null;
        this.lastHit = new DeviceMemory.Allocation[kernel.sites().size()];
        this.warps = new Warp[(int) (shape.count() + 31 >> 5)];
        for (int i = 0; i < warps.length; i++) {
            warps[i] = new Warp(this, i);
        }
    }

    CompiledKernel kernel() {
        return kernel;
    }

    DeviceMemory memory() {
        return memory;
    }

    /** The block's named barriers. */
    NamedBarriers barriers() {
        return barriers;
    }

    Warp[] warps() {
        return warps;
    }

    Dim3 grid() {
        return grid;
    }

    Dim3 shape() {
        return shape;
    }

    Dim3 index() {
        return index;
    }

    int dynamicShared() {
        return dynamicShared;
    }

    int sharedBytes() {
        return kernel.sharedBytes() + dynamicShared;
    }

    byte[] parameters() {
        return parameters;
    }

    SharedMemory shared() {
        return shared;
    }

    /** The checker of shared memory, or null when checks are off. */
    SharedChecker checker() {
        return checker;
    }

    /** What the seed decides in the block that runs. */
    SplittableRandom random() {
        return random;
    }

    /** The counters, or null when they are off. */
    Profile profile() {
        return profile;
    }

    /** Shows what runs to a watcher. */
    public void watch(Watcher shown) {
        this.watcher = shown;
    }

    /** Who is shown what runs, or null. */
    Watcher watcher() {
        return watcher;
    }

    /** The allocation that the instruction at a site used last, by site. */
    DeviceMemory.Allocation[] lastHit() {
        return lastHit;
    }

    /** Runs the block with this linear index to its end. */
    public void run(long linear) {
        index = grid.at(linear);
        shared.clear();
        barriers.reset();
        if (checker != null) {
            checker.reset();
        }
        int threads = (int) shape.count();
        for (Warp warp : warps) {
            warp.reset(threads);
        }
        random = new SplittableRandom(seed * 0x9e3779b97f4a7c15L + linear);
        idle = 0;
        if (bulk != null) {
            bulk.reset();
        }
        Warp[] order = warps.clone();
        boolean more;
        do {
            shuffle(order);
            more = runWarps(order);
            if (more && stopped.getAsBoolean()) {
                throw new DeviceFault(DeviceFault.Kind.DEADLOCK, "stopped while it was running", kernel.name(), 0, "",
                        index, -1);
            }
        } while (barriers.release(more) || more);
        if (bulk != null) {
            bulk.end();
        }
    }

    /** Gives each warp a turn; true when one can run on. */
    private boolean runWarps(Warp[] order) {
        long before = events;
        boolean more = false;
        boolean waiting = true;
        for (Warp warp : order) {
            boolean runs = warp.run();
            more |= runs;
            waiting &= !runs || warp.stalled() >= 0;
        }
        if (bulk != null) {
            bulk.drift();
        }
        idle = more && waiting && events == before ? idle + 1 : 0;
        if (idle > MOST_IDLE) {
            throw hang();
        }
        return more;
    }

    private DeviceFault hang() {
        for (Warp warp : warps) {
            if (warp.stalled() >= 0) {
                return fault(DeviceFault.Kind.DEADLOCK, warp.stalled(), warp, warp.stalledLane(),
                        warp.stalledFor() + ", and nothing happens any more");
            }
        }
        throw new IllegalStateException("no warp waits");
    }

    /** Something has happened that others may wait for. */
    void happened() {
        events++;
    }

    /** The bulk copies of the block's threads. */
    BulkCopies bulk() {
        if (bulk == null) {
            bulk = new BulkCopies(this);
        }
        return bulk;
    }

    /** Address of what the blocks of a cooperative launch meet at, else 0. */
    long gridBarrier() {
        return gridBarrier;
    }

    boolean isCooperative() {
        return gridBarrier != 0;
    }

    /** Adds to what the block has printed. */
    void print(String text) {
        printed.append(text);
    }

    /** What the block has printed since this was last asked. */
    public String takePrinted() {
        String text = printed.toString();
        printed.setLength(0);
        return text;
    }

    private void shuffle(Warp[] order) {
        for (int i = order.length - 1; i > 0; i--) {
            int j = random.nextInt(i + 1);
            Warp swapped = order[i];
            order[i] = order[j];
            order[j] = swapped;
        }
    }

    /** A fault of one lane at a site. */
    DeviceFault fault(DeviceFault.Kind kind, int site, Warp warp, int lane, String what) {
        Site where = kernel.sites().get(site);
        return new DeviceFault(kind, what, kernel.name(), where.line(), where.text(), index,
                warp.index * Layout.LANES + lane);
    }
}
