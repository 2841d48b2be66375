package jdiffusion.emulator.exec;

import jdiffusion.emulator.DeviceFault.Kind;

/**
 * Loads, stores and atomics of a warp in the shared memory of any block of its cluster, at the addresses in
 * {@link Warp#address}. Each block's memory is seen through a window, by its rank; addresses before the first window
 * are those of the warp's own block. Emitted for {@code .shared::cluster}, and for generic addresses where a kernel has
 * {@code mapa}, which alone makes addresses of other blocks.
 */
final class ClusterMemory {
    private static final int SHIFT = 24;
    /** Distance between windows. */
    static final long WINDOW = 1L << SHIFT;

    private ClusterMemory() {}

    /** The rank of the block that an address lies in; faults when the cluster has none. */
    static int rank(Warp w, int lane, int site, long address) {
        Cluster cluster = w.block.cluster();
        if (cluster == null || address >= 0 && address < WINDOW) {
            return w.block.rank();
        }
        long rank = (address >> SHIFT) - 1;
        if (rank < 0 || rank >= cluster.size()) {
            throw w.block.fault(Kind.OUT_OF_BOUNDS, site, w, lane,
                    "shared address 0x%x lies in no block of the cluster of %d".formatted(address, cluster.size()));
        }
        return (int) rank;
    }

    /** The block that an address lies in, to use its memory. */
    static Block home(Warp w, int lane, int site, long address) {
        Block home = w.block.peer(rank(w, lane, site, address));
        if (home.hasEnded()) {
            throw w.block.fault(Kind.PEER, site, w, lane, "shared memory of block %s is used here, which has ended"
                    .formatted(home.index()));
        }
        return home;
    }

    /** An address as the block that it lies in has it. */
    static long within(Warp w, long address) {
        return w.block.cluster() == null || address < 0 ? address : address & WINDOW - 1;
    }

    /**
     * Picks those of some lanes whose addresses lie in the block of the first one's: that block becomes the access's
     * target, and these addresses its own.
     */
    private static int select(Warp w, int lanes, int site) {
        int first = Integer.numberOfTrailingZeros(lanes);
        Block home = home(w, first, site, w.address[first]);
        long window = w.address[first] >> SHIFT;
        int picked = 0;
        for (int rest = lanes; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            if (w.address[lane] >> SHIFT == window) {
                picked |= 1 << lane;
                w.address[lane] = within(w, w.address[lane]);
            }
        }
        w.target = home;
        if (home != w.block && w.block.cluster().peers() != null) {
            w.block.cluster().peers().use(w, picked, site, home);
        }
        return picked;
    }

    /** Lanes whose generic addresses lie in windows of blocks; these become addresses there. */
    static int peers(Warp w, int mask) {
        int lanes = 0;
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            long at = w.address[lane] - GenericMemory.SHARED;
            if (at >= WINDOW && at < GenericMemory.WINDOW) {
                lanes |= 1 << lane;
                w.address[lane] = at;
            }
        }
        return lanes;
    }

    static void load32(Warp w, int mask, int site, int n, int d0, int d1, int d2, int d3) {
        for (int rest = mask; rest != 0;) {
            int lanes = select(w, rest, site);
            SharedMemory.load32(w, lanes, site, n, d0, d1, d2, d3);
            rest &= ~lanes;
        }
        w.target = w.block;
    }

    static void store32(Warp w, int mask, int site, int n, int d0, int d1, int d2, int d3) {
        for (int rest = mask; rest != 0;) {
            int lanes = select(w, rest, site);
            SharedMemory.store32(w, lanes, site, n, d0, d1, d2, d3);
            rest &= ~lanes;
        }
        w.target = w.block;
    }

    static void load64(Warp w, int mask, int site, int n, int d0, int d1, int d2, int d3) {
        for (int rest = mask; rest != 0;) {
            int lanes = select(w, rest, site);
            SharedMemory.load64(w, lanes, site, n, d0, d1, d2, d3);
            rest &= ~lanes;
        }
        w.target = w.block;
    }

    static void store64(Warp w, int mask, int site, int n, int d0, int d1, int d2, int d3) {
        for (int rest = mask; rest != 0;) {
            int lanes = select(w, rest, site);
            SharedMemory.store64(w, lanes, site, n, d0, d1, d2, d3);
            rest &= ~lanes;
        }
        w.target = w.block;
    }

    static void loadSmall(Warp w, int mask, int site, int bytes, int signed, int n, int d0, int d1, int d2, int d3) {
        for (int rest = mask; rest != 0;) {
            int lanes = select(w, rest, site);
            SharedMemory.loadSmall(w, lanes, site, bytes, signed, n, d0, d1, d2, d3);
            rest &= ~lanes;
        }
        w.target = w.block;
    }

    static void storeSmall(Warp w, int mask, int site, int bytes, int signed, int n, int d0, int d1, int d2, int d3) {
        for (int rest = mask; rest != 0;) {
            int lanes = select(w, rest, site);
            SharedMemory.storeSmall(w, lanes, site, bytes, signed, n, d0, d1, d2, d3);
            rest &= ~lanes;
        }
        w.target = w.block;
    }

    /** An atomic access of 16, 32 or 64 bits. */
    static void atomic(Warp w, int mask, int site, int bits, int operation, int d, int b, int c) {
        for (int rest = mask; rest != 0;) {
            int lanes = select(w, rest, site);
            switch (bits) {
                case 16 -> Atomics.shared16(w, lanes, site, operation, d, b, c);
                case 32 -> Atomics.shared32(w, lanes, site, operation, d, b, c);
                default -> Atomics.shared64(w, lanes, site, operation, d, b, c);
            }
            rest &= ~lanes;
        }
        w.target = w.block;
        w.yield();
    }

    /** As {@link MemoryBarriers#arrive}, at barriers of any block. */
    static void arrive(Warp w, int mask, int site, int count, int expect, int drop) {
        for (int rest = mask; rest != 0;) {
            int lanes = select(w, rest, site);
            MemoryBarriers.arrive(w, lanes, site, -1, count, expect, drop);
            rest &= ~lanes;
        }
        w.target = w.block;
    }

    /** As {@link MemoryBarriers#owe}, at barriers of any block. */
    static void owe(Warp w, int mask, int site, int bytes, int sign) {
        for (int rest = mask; rest != 0;) {
            int lanes = select(w, rest, site);
            MemoryBarriers.owe(w, lanes, site, bytes, sign);
            rest &= ~lanes;
        }
        w.target = w.block;
    }
}
