package jdiffusion.emulator.exec;

import java.util.SplittableRandom;
import java.util.function.BooleanSupplier;
import jdiffusion.emulator.DeviceFault;
import jdiffusion.emulator.DeviceMemory;
import jdiffusion.emulator.Dim3;
import jdiffusion.emulator.Watcher;

/**
 * Runs blocks of one launch, one after the other, on one thread; those of a cluster take turns. The warps of a block
 * run in an order that the seed
 * and the block's number decide, each until it waits at a barrier. They also decide when asynchronous copies land.
 */
public final class Block {
    /** Turns of all warps in which all wait for each other and nothing happens, after which nothing will. */
    static final int MOST_IDLE = 1000;

    private final Launch launch;
    private final Cluster cluster;
    private final int rank;
    private final SharedMemory shared;
    private final SharedChecker checker;
    private final Profile profile;
    private final Warp[] warps;
    private final NamedBarriers barriers = new NamedBarriers(this);
    private final StringBuilder printed = new StringBuilder();
    private final BooleanSupplier stopped;
    private final DeviceMemory.Allocation[] lastHit;
    private Dim3 index;
    private Watcher watcher;
    private SplittableRandom random;
    private BulkCopies bulk;
    private RegisterPool registers;
    private Warp[] turns;
    private long events;
    private boolean waiting;
    private boolean ended;
    private int idle;

    /**
     * Blocks of one launch.
     *
     * @param profile may be null
     * @param stopped asked now and then whether to give up
     */
    public Block(Launch launch, Profile profile, BooleanSupplier stopped) {
        this(launch, profile, stopped, null, 0);
    }

    /** As {@link #Block(Launch, Profile, BooleanSupplier)}, of one rank in clusters. */
    Block(Launch launch, Profile profile, BooleanSupplier stopped, Cluster cluster, int rank) {
        this.launch = launch;
        this.cluster = cluster;
        this.rank = rank;
        this.stopped = stopped;
        this.profile = profile;
        this.index = new Dim3(0, 0, 0);
        this.shared = new SharedMemory(sharedBytes());
        Order order = !launch.check() ? null : cluster != null ? cluster.order()
                : new Order((int) launch.block().count(), 1);
        this.checker = order == null ? null : new SharedChecker(this, sharedBytes(), order);
        this.lastHit = new DeviceMemory.Allocation[kernel().sites().size()];
        this.warps = new Warp[(int) (launch.block().count() + 31 >> 5)];
        for (int i = 0; i < warps.length; i++) {
            warps[i] = new Warp(this, i, (order == null ? 0 : order.first(rank)) + i * Layout.LANES);
        }
    }

    CompiledKernel kernel() {
        return launch.kernel();
    }

    DeviceMemory memory() {
        return launch.memory();
    }

    /** The block's named barriers. */
    NamedBarriers barriers() {
        return barriers;
    }

    Warp[] warps() {
        return warps;
    }

    Dim3 grid() {
        return launch.grid();
    }

    Dim3 shape() {
        return launch.block();
    }

    Dim3 index() {
        return index;
    }

    /** The cluster that the block is in; null where the kernel knows of none. */
    Cluster cluster() {
        return cluster;
    }

    /** The block's number in its cluster; 0 without one. */
    int rank() {
        return rank;
    }

    /** The block of a rank in the cluster, which may be this one. */
    Block peer(int other) {
        return other == rank ? this : cluster.block(other);
    }

    /** Blocks of a cluster in each direction. */
    Dim3 clusterShape() {
        return launch.cluster() == null ? new Dim3(1, 1, 1) : launch.cluster();
    }

    /** Whether the launch or the kernel gave clusters a size. */
    boolean hasClusterShape() {
        return launch.cluster() != null;
    }

    int dynamicShared() {
        return launch.dynamicShared();
    }

    int sharedBytes() {
        return kernel().sharedBytes() + launch.dynamicShared();
    }

    byte[] parameters() {
        return launch.parameters();
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

    /** Runs the block with this linear index, which is in no cluster, to its end. */
    public void run(long linear) {
        start(linear, checker != null && checker.order().begin());
        boolean more;
        do {
            more = runWarps();
            idle = more && waiting ? idle + 1 : 0;
            if (idle > MOST_IDLE) {
                throw hang();
            }
        } while (barriers.release(more) || more);
        finish();
    }

    /** Makes all ready for the block with this linear index; {@code anew}: numbers of its order begin anew. */
    void start(long linear, boolean anew) {
        index = grid().at(linear);
        shared.clear();
        barriers.reset();
        if (checker != null) {
            checker.reset(anew);
        }
        int threads = (int) shape().count();
        for (Warp warp : warps) {
            warp.reset(threads);
        }
        random = new SplittableRandom(launch.seed() * 0x9e3779b97f4a7c15L + linear);
        idle = 0;
        if (bulk != null) {
            bulk.reset();
        }
        if (registers != null) {
            registers.reset();
        }
        turns = warps.clone();
        ended = false;
    }

    /** Gives each warp a turn, and opens barriers; false when nothing can run on before other blocks do something. */
    boolean turn() {
        boolean more = runWarps();
        return barriers.release(true) || more;
    }

    /** Whether in the last turn all warps that can run on have waited for something, and nothing has happened. */
    boolean isWaiting() {
        return waiting;
    }

    /** Whether all threads have exited. */
    boolean isOver() {
        for (Warp warp : warps) {
            if (warp.live != 0) {
                return false;
            }
        }
        return true;
    }

    /** Whether {@link #finish} was called since the block started. */
    boolean hasEnded() {
        return ended;
    }

    /** The block's threads have exited. */
    void finish() {
        ended = true;
        if (bulk != null) {
            bulk.end();
        }
        if (checker != null) {
            checker.async().end();
        }
    }

    /** Gives each warp a turn; true when one can run on. */
    private boolean runWarps() {
        shuffle(turns);
        long before = events;
        boolean more = false;
        boolean stalled = true;
        for (Warp warp : turns) {
            boolean runs = warp.run();
            more |= runs;
            stalled &= !runs || warp.stalled() != null;
        }
        if (bulk != null) {
            bulk.drift();
        }
        waiting = stalled && events == before;
        if (more && stopped.getAsBoolean()) {
            throw new DeviceFault(DeviceFault.Kind.DEADLOCK, "stopped while it was running", kernel().name(), 0, "",
                    index, -1);
        }
        return more;
    }

    /** The fault of warps that wait for what does not come; null when none waits so. */
    DeviceFault hang() {
        for (Warp warp : warps) {
            Warp.Stall stall = warp.stalled();
            if (stall != null) {
                return fault(DeviceFault.Kind.DEADLOCK, stall.site(), warp, stall.lane(),
                        stall.what().get() + ", and nothing happens any more");
            }
        }
        return null;
    }

    /** Something has happened that others may wait for. */
    void happened() {
        events++;
        if (cluster != null) {
            cluster.happened();
        }
    }

    /** The registers that the block's warps share. */
    RegisterPool registers() {
        if (registers == null) {
            registers = new RegisterPool(warps.length);
        }
        return registers;
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
        return launch.gridBarrier();
    }

    boolean isCooperative() {
        return launch.gridBarrier() != 0;
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
        Site where = kernel().sites().get(site);
        return new DeviceFault(kind, what, kernel().name(), where.line(), where.text(), index,
                warp.index * Layout.LANES + lane);
    }
}
