package jdiffusion.emulator.exec;

import jdiffusion.emulator.DeviceFault.Kind;

/** Loads and stores of local memory, of which each thread has its own from address 0. */
final class LocalMemory {

    private LocalMemory() {}

    static void load32(Warp w, int mask, int site, int n, int d0, int d1, int d2, int d3) {
        place(w, mask, site, 4 * n);
        Words.load32(w, w.local, mask, n, d0, d1, d2, d3);
    }

    static void store32(Warp w, int mask, int site, int n, int d0, int d1, int d2, int d3) {
        place(w, mask, site, 4 * n);
        Words.store32(w, w.local, mask, n, d0, d1, d2, d3);
    }

    static void load64(Warp w, int mask, int site, int n, int d0, int d1, int d2, int d3) {
        place(w, mask, site, 8 * n);
        Words.load64(w, w.local, mask, n, d0, d1);
    }

    static void store64(Warp w, int mask, int site, int n, int d0, int d1, int d2, int d3) {
        place(w, mask, site, 8 * n);
        Words.store64(w, w.local, mask, n, d0, d1);
    }

    static void loadSmall(Warp w, int mask, int site, int bytes, int signed, int n, int d0, int d1, int d2, int d3) {
        place(w, mask, site, bytes * n);
        Words.loadSmall(w, w.local, mask, bytes, signed, n, d0, d1, d2, d3);
    }

    static void storeSmall(Warp w, int mask, int site, int bytes, int signed, int n, int d0, int d1, int d2, int d3) {
        place(w, mask, site, bytes * n);
        Words.storeSmall(w, w.local, mask, bytes, n, d0, d1, d2, d3);
    }

    /** Checks the addresses and makes them those of the lane's part of the warp's words. */
    private static void place(Warp w, int mask, int site, int bytes) {
        int size = w.kernel.localBytes();
        for (int l = 0; l < Layout.LANES; l++) {
            long at = w.address[l];
            if ((mask >>> l & 1) != 0 && (at < 0 || at > size - bytes || (at & bytes - 1) != 0)) {
                boolean inside = at >= 0 && at <= size - bytes;
                throw w.block.fault(inside ? Kind.MISALIGNED : Kind.OUT_OF_BOUNDS, site, w, l,
                        "access of %d bytes at local address %d, the thread has %d bytes".formatted(bytes, at, size));
            }
            w.address[l] = at + 4L * w.localStride() * l;
        }
    }
}
