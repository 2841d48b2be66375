package jdiffusion.emulator.exec;

import java.util.SplittableRandom;
import java.util.function.BooleanSupplier;
import java.util.function.ObjLongConsumer;
import jdiffusion.emulator.Dim3;
import jdiffusion.emulator.Watcher;

/**
 * Runs clusters of one launch, one after the other, on one thread. The blocks of a cluster start together and take
 * turns, in an order that the seed decides, so that they can wait for each other.
 */
public final class Cluster {
    private final Launch launch;
    private final Dim3 shape;
    private final Dim3 clusters;
    private final Block[] blocks;
    private final Order order;
    private final ClusterBarrier barrier;
    private final PeerChecker peers;
    private long events;

    /**
     * Clusters of one launch.
     *
     * @param launch  whose grid is a multiple of its clusters; where it names none, each block is one
     * @param profile may be null
     * @param stopped asked now and then whether to give up
     */
    public Cluster(Launch launch, Profile profile, BooleanSupplier stopped) {
        this.launch = launch;
        this.shape = launch.cluster() == null ? new Dim3(1, 1, 1) : launch.cluster();
        this.clusters = count(launch.grid(), launch.cluster());
        int count = (int) shape.count();
        this.order = launch.check() ? new Order((int) launch.block().count(), count) : null;
        this.blocks = new Block[count];
        for (int rank = 0; rank < count; rank++) {
            blocks[rank] = new Block(launch, profile, stopped, this, rank);
        }
        this.barrier = new ClusterBarrier(this);
        this.peers = order == null ? null : new PeerChecker(this);
    }

    /** Clusters of a grid in each direction. */
    public static Dim3 count(Dim3 grid, Dim3 cluster) {
        return cluster == null ? grid
                : new Dim3(grid.x() / cluster.x(), grid.y() / cluster.y(), grid.z() / cluster.z());
    }

    /** Shows what runs to a watcher. */
    public void watch(Watcher shown) {
        for (Block block : blocks) {
            block.watch(shown);
        }
    }

    Order order() {
        return order;
    }

    ClusterBarrier barrier() {
        return barrier;
    }

    /** The checker of uses of other blocks' memory, or null when checks are off. */
    PeerChecker peers() {
        return peers;
    }

    Block block(int rank) {
        return blocks[rank];
    }

    int size() {
        return blocks.length;
    }

    /** Something has happened that others may wait for. */
    void happened() {
        events++;
    }

    /**
     * Runs the cluster with this linear index to its end.
     *
     * @param printed gets what each block has printed, with the block's linear index, also when the cluster fails
     */
    public void run(long linear, ObjLongConsumer<String> printed) {
        try {
            run(linear);
        } finally {
            for (int rank = 0; rank < blocks.length; rank++) {
                printed.accept(blocks[rank].takePrinted(), index(linear, rank));
            }
        }
    }

    /** The linear index in the grid of a cluster's block. */
    private long index(long linear, int rank) {
        Dim3 first = clusters.at(linear);
        Dim3 at = shape.at(rank);
        Dim3 grid = launch.grid();
        return first.x() * shape.x() + at.x()
                + grid.x() * (first.y() * shape.y() + at.y() + (long) grid.y() * (first.z() * shape.z() + at.z()));
    }

    private void run(long linear) {
        boolean anew = order != null && order.begin();
        barrier.reset();
        if (peers != null) {
            peers.reset();
        }
        for (int rank = 0; rank < blocks.length; rank++) {
            blocks[rank].start(index(linear, rank), anew);
        }
        var random = new SplittableRandom(launch.seed() * 0x9e3779b97f4a7c15L + linear);
        int left = blocks.length;
        int idle = 0;
        while (left > 0) {
            long before = events;
            boolean more = false;
            boolean waiting = true;
            int first = random.nextInt(blocks.length);
            for (int i = 0; i < blocks.length; i++) {
                Block block = blocks[(first + i) % blocks.length];
                if (!block.hasEnded()) {
                    more |= block.turn();
                    waiting &= block.isWaiting();
                    left -= ends(block) ? 1 : 0;
                }
            }
            boolean opened = barrier.release();
            idle = more && waiting && !opened && events == before ? idle + 1 : 0;
            if (left > 0 && !more && !opened || idle > Block.MOST_IDLE) {
                hang();
            }
        }
    }

    private boolean ends(Block block) {
        if (!block.isOver()) {
            return false;
        }
        block.finish();
        if (peers != null) {
            peers.end(block);
        }
        return true;
    }

    /** Throws the fault of blocks that wait for what does not come. */
    private void hang() {
        for (Block block : blocks) {
            RuntimeException fault = block.hasEnded() ? null : block.hang();
            if (fault != null) {
                throw fault;
            }
        }
        for (Block block : blocks) {
            block.barriers().release(false);
        }
        throw new IllegalStateException("no thread waits");
    }
}
