package jdiffusion.emulator.exec;

/**
 * Loads and stores at generic addresses. Shared and local memory are seen through windows that no allocation can
 * lie in, parameters of the kernel and functions have addresses in others; everything else is global.
 */
final class GenericMemory {
    /** Distance between windows; the number of a window is an address divided by it. */
    static final long WINDOW = 1L << 60;
    static final long SHARED = 4 * WINDOW;
    static final long LOCAL = 5 * WINDOW;
    static final long FUNCTIONS = 6 * WINDOW;
    /** Those of the kernel: constant memory. */
    static final long PARAMETERS = 7 * WINDOW;

    private GenericMemory() {}

    /** Lanes of {@code mask} whose address lies in a window; these addresses become relative to it. */
    static int inside(Warp w, int mask, long window) {
        int lanes = 0;
        for (int l = 0; l < Layout.LANES; l++) {
            if ((mask >>> l & 1) != 0 && (w.address[l] & -WINDOW) == window) {
                lanes |= 1 << l;
                w.address[l] -= window;
            }
        }
        return lanes;
    }

    /** Generic addresses of all lanes become shared ones. */
    static void toShared(Warp w, int mask) {
        for (int lane = 0; lane < Layout.LANES; lane++) {
            w.address[lane] -= SHARED;
        }
    }

    /** Keeps all addresses in a slot of 64 bits; those of the window of shared memory become shared ones. */
    static void keep(Warp w, int mask, int slot) {
        for (int lane = 0; lane < Layout.LANES; lane++) {
            boolean shared = (w.address[lane] & -WINDOW) == SHARED;
            w.q[slot + lane] = shared ? w.address[lane] - SHARED : w.address[lane];
        }
    }

    static void load32(Warp w, int mask, int site, int n, int d0, int d1, int d2, int d3) {
        int shared = inside(w, mask, SHARED);
        int local = inside(w, mask & ~shared, LOCAL);
        int parameters = inside(w, mask & ~shared & ~local, PARAMETERS);
        if (shared != 0) {
            SharedMemory.load32(w, shared, site, n, d0, d1, d2, d3);
        }
        if ((mask & ~shared & ~local & ~parameters) != 0) {
            GlobalMemory.load32(w, mask & ~shared & ~local & ~parameters, site, n, d0, d1, d2, d3);
        }
        if (local != 0) {
            LocalMemory.load32(w, local, site, n, d0, d1, d2, d3);
        }
        if (parameters != 0) {
            Parameters.load32(w, parameters, site, n, d0, d1, d2, d3);
        }
    }

    static void store32(Warp w, int mask, int site, int n, int d0, int d1, int d2, int d3) {
        int shared = inside(w, mask, SHARED);
        int local = inside(w, mask & ~shared, LOCAL);
        if (shared != 0) {
            SharedMemory.store32(w, shared, site, n, d0, d1, d2, d3);
        }
        if ((mask & ~shared & ~local) != 0) {
            GlobalMemory.store32(w, mask & ~shared & ~local, site, n, d0, d1, d2, d3);
        }
        if (local != 0) {
            LocalMemory.store32(w, local, site, n, d0, d1, d2, d3);
        }
    }

    static void load64(Warp w, int mask, int site, int n, int d0, int d1, int d2, int d3) {
        int shared = inside(w, mask, SHARED);
        int local = inside(w, mask & ~shared, LOCAL);
        int parameters = inside(w, mask & ~shared & ~local, PARAMETERS);
        if (shared != 0) {
            SharedMemory.load64(w, shared, site, n, d0, d1, d2, d3);
        }
        if ((mask & ~shared & ~local & ~parameters) != 0) {
            GlobalMemory.load64(w, mask & ~shared & ~local & ~parameters, site, n, d0, d1, d2, d3);
        }
        if (local != 0) {
            LocalMemory.load64(w, local, site, n, d0, d1, d2, d3);
        }
        if (parameters != 0) {
            Parameters.load64(w, parameters, site, n, d0, d1, d2, d3);
        }
    }

    static void store64(Warp w, int mask, int site, int n, int d0, int d1, int d2, int d3) {
        int shared = inside(w, mask, SHARED);
        int local = inside(w, mask & ~shared, LOCAL);
        if (shared != 0) {
            SharedMemory.store64(w, shared, site, n, d0, d1, d2, d3);
        }
        if ((mask & ~shared & ~local) != 0) {
            GlobalMemory.store64(w, mask & ~shared & ~local, site, n, d0, d1, d2, d3);
        }
        if (local != 0) {
            LocalMemory.store64(w, local, site, n, d0, d1, d2, d3);
        }
    }

    static void loadSmall(Warp w, int mask, int site, int bytes, int signed, int n, int d0, int d1, int d2, int d3) {
        int shared = inside(w, mask, SHARED);
        int local = inside(w, mask & ~shared, LOCAL);
        int parameters = inside(w, mask & ~shared & ~local, PARAMETERS);
        if (shared != 0) {
            SharedMemory.loadSmall(w, shared, site, bytes, signed, n, d0, d1, d2, d3);
        }
        if ((mask & ~shared & ~local & ~parameters) != 0) {
            GlobalMemory.loadSmall(w, mask & ~shared & ~local & ~parameters, site, bytes, signed, n, d0, d1, d2, d3);
        }
        if (local != 0) {
            LocalMemory.loadSmall(w, local, site, bytes, signed, n, d0, d1, d2, d3);
        }
        if (parameters != 0) {
            Parameters.loadSmall(w, parameters, site, bytes, signed, n, d0, d1, d2, d3);
        }
    }

    static void storeSmall(Warp w, int mask, int site, int bytes, int signed, int n, int d0, int d1, int d2, int d3) {
        int shared = inside(w, mask, SHARED);
        int local = inside(w, mask & ~shared, LOCAL);
        if (shared != 0) {
            SharedMemory.storeSmall(w, shared, site, bytes, signed, n, d0, d1, d2, d3);
        }
        if ((mask & ~shared & ~local) != 0) {
            GlobalMemory.storeSmall(w, mask & ~shared & ~local, site, bytes, signed, n, d0, d1, d2, d3);
        }
        if (local != 0) {
            LocalMemory.storeSmall(w, local, site, bytes, signed, n, d0, d1, d2, d3);
        }
    }
}
