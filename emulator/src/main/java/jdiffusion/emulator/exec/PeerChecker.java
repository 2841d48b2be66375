package jdiffusion.emulator.exec;

import java.util.Arrays;
import jdiffusion.emulator.DeviceFault.Kind;

/**
 * Finds uses of the shared memory of another block of a cluster that may come before that block has started, or after
 * it has ended, as barriers order them.
 */
final class PeerChecker {

    /** A use of a block's memory, by a lane of another one. */
    private record Use(Warp warp, int lane, int site, int number) {}

    private final Cluster cluster;
    private final Order order;
    /** For each block the last use by each thread, and by each block's bulk copies. */
    private final Use[][] uses;

    PeerChecker(Cluster cluster) {
        this.cluster = cluster;
        this.order = cluster.order();
        this.uses = new Use[cluster.size()][order.parties()];
    }

    /** A new cluster starts. */
    void reset() {
        for (Use[] of : uses) {
            Arrays.fill(of, null);
        }
    }

    /** Lanes use the memory of a block that is not theirs. */
    void use(Warp w, int lanes, int site, Block target) {
        for (int rest = lanes; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            copyTo(w, lane, site, target);
            keep(w, lane, site, w.base + lane, target);
        }
    }

    /**
     * A lane begins a copy to the memory of a block that is not its own. That the block ends after the copy needs no
     * check here: its barrier counts the bytes, and a copy that none of its threads has waited for is a fault.
     */
    void copyTo(Warp w, int lane, int site, Block target) {
        if (!order.hasHeard(w.base + lane, target.rank())) {
            throw w.block.fault(Kind.PEER, site, w, lane, ("shared memory of block %s is used here, which may not"
                    + " have started: no barrier of the cluster comes before").formatted(target.index()));
        }
    }

    /** A bulk copy to the block of a rank has read the memory of another one. */
    void copied(Warp w, int lane, int site, int rank, Block source) {
        if (rank != source.rank()) {
            keep(w, lane, site, order.copies(rank), source);
        }
    }

    private void keep(Warp w, int lane, int site, int party, Block target) {
        uses[target.rank()][party] = new Use(w, lane, site, order.next());
    }

    /** Faults unless each use of the block's memory comes before the end of one of its threads. */
    void end(Block target) {
        Use[] of = uses[target.rank()];
        for (int party = 0; party < of.length; party++) {
            if (of[party] != null && !isKnown(party, of[party].number(), target)) {
                Use use = of[party];
                throw use.warp().block.fault(Kind.PEER, use.site(), use.warp(), use.lane(), ("shared memory of block %s"
                        + " is used here, which may have ended: its threads exit and wait for nobody after this")
                        .formatted(target.index()));
            }
        }
    }

    private boolean isKnown(int party, int number, Block target) {
        int first = order.first(target.rank());
        for (int i = first; i < first + target.shape().count(); i++) {
            if (order.isBefore(party, number, i)) {
                return true;
            }
        }
        return false;
    }
}
