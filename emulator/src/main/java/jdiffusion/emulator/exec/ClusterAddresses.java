package jdiffusion.emulator.exec;

import jdiffusion.emulator.DeviceFault.Kind;

/** Addresses in the shared memory of a cluster's blocks: {@code mapa}, {@code getctarank} and {@code isspacep}. */
final class ClusterAddresses {
    private ClusterAddresses() {}

    private static long shared(Warp w, int lane, int site, long address, int generic) {
        long at = generic == 0 ? address : address - GenericMemory.SHARED;
        if (at < 0 || at >= GenericMemory.WINDOW) {
            throw w.block.fault(Kind.OUT_OF_BOUNDS, site, w, lane,
                    "generic address 0x%x does not lie in shared memory".formatted(address));
        }
        return at;
    }

    /** The address that is the same place in the block of a rank; with 32 bits. */
    static void map32(Warp w, int mask, int site, int d, int a, int rank) {
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            w.r[d + lane] = (int) mapped(w, lane, site, w.r[a + lane] & 0xffffffffL, w.r[rank + lane]);
        }
    }

    /** The same with 64 bits, shared or generic. */
    static void map64(Warp w, int mask, int site, int generic, int d, int a, int rank) {
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            w.q[d + lane] = mapped(w, lane, site, shared(w, lane, site, w.q[a + lane], generic), w.r[rank + lane])
                    + (generic != 0 ? GenericMemory.SHARED : 0);
        }
    }

    private static long mapped(Warp w, int lane, int site, long address, int rank) {
        int size = w.block.cluster().size();
        if (rank < 0 || rank >= size) {
            throw w.block.fault(Kind.OUT_OF_BOUNDS, site, w, lane,
                    "an address in the block of rank %s of a cluster of %d".formatted(Integer.toUnsignedString(rank),
                            size));
        }
        return (rank + 1) * ClusterMemory.WINDOW + ClusterMemory.within(w, address);
    }

    /** The rank of the block that an address lies in; with 32 bits. */
    static void rank32(Warp w, int mask, int site, int d, int a) {
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            w.r[d + lane] = ClusterMemory.rank(w, lane, site, w.r[a + lane] & 0xffffffffL);
        }
    }

    /** The same with 64 bits, shared or generic. */
    static void rank64(Warp w, int mask, int site, int generic, int d, int a) {
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            w.r[d + lane] = ClusterMemory.rank(w, lane, site, shared(w, lane, site, w.q[a + lane], generic));
        }
    }

    /**
     * Whether generic addresses lie in a space.
     *
     * @param window the space's number among the windows; 0 for global memory
     * @param own    1 when only the warp's own block counts
     */
    static void isInside(Warp w, int mask, int p, int a, int window, int own) {
        int inside = 0;
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            long address = w.q[a + lane];
            long at = address & GenericMemory.WINDOW - 1;
            boolean other = at >= ClusterMemory.WINDOW && at / ClusterMemory.WINDOW - 1 != w.block.rank();
            inside |= address / GenericMemory.WINDOW == window && (own == 0 || !other) ? 1 << lane : 0;
        }
        w.setPredicate(p, inside, mask);
    }
}
