package jdiffusion.emulator.exec;

import java.util.Arrays;
import jdiffusion.emulator.DeviceFault.Kind;

/** Shared memory of a block, and the loads and stores of a warp there, at the addresses in {@link Warp#address}. */
final class SharedMemory {
    /** What uninitialised shared memory reads as: a NaN in float32, bfloat16 and float16. */
    private static final int UNINITIALISED = 0x7fff7fff;

    final int[] words;
    final int bytes;

    SharedMemory(int bytes) {
        this.bytes = bytes;
        this.words = new int[(bytes + 3 >> 2) + 1];
    }

    void clear() {
        Arrays.fill(words, UNINITIALISED);
    }

    static void load32(Warp w, int mask, int site, int n, int d0, int d1, int d2, int d3) {
        check(w, mask, site, 4 * n, false);
        Words.load32(w, w.block.shared().words, mask, n, d0, d1, d2, d3);
    }

    static void store32(Warp w, int mask, int site, int n, int d0, int d1, int d2, int d3) {
        check(w, mask, site, 4 * n, true);
        Words.store32(w, w.block.shared().words, mask, n, d0, d1, d2, d3);
    }

    static void load64(Warp w, int mask, int site, int n, int d0, int d1, int d2, int d3) {
        check(w, mask, site, 8 * n, false);
        Words.load64(w, w.block.shared().words, mask, n, d0, d1);
    }

    static void store64(Warp w, int mask, int site, int n, int d0, int d1, int d2, int d3) {
        check(w, mask, site, 8 * n, true);
        Words.store64(w, w.block.shared().words, mask, n, d0, d1);
    }

    static void loadSmall(Warp w, int mask, int site, int bytes, int signed, int n, int d0, int d1, int d2, int d3) {
        check(w, mask, site, bytes * n, false);
        Words.loadSmall(w, w.block.shared().words, mask, bytes, signed, n, d0, d1, d2, d3);
    }

    static void storeSmall(Warp w, int mask, int site, int bytes, int signed, int n, int d0, int d1, int d2, int d3) {
        check(w, mask, site, bytes * n, true);
        Words.storeSmall(w, w.block.shared().words, mask, bytes, n, d0, d1, d2, d3);
    }

    /** Faults unless every lane's access is inside and aligned; lets checker and counters know. */
    static void check(Warp w, int mask, int site, int bytes, boolean write) {
        checkBounds(w, w.address, mask, site, bytes, write);
        Block block = w.block;
        if (block.checker() != null) {
            for (int l = 0; l < Layout.LANES; l++) {
                if ((mask >>> l & 1) != 0) {
                    block.checker().access(w, l, (int) w.address[l], bytes, write, site);
                }
            }
        }
        if (block.profile() != null) {
            block.profile().shared(site, w.address, mask, bytes);
        }
    }

    static void checkBounds(Warp w, long[] address, int mask, int site, int bytes, boolean write) {
        int limit = w.block.shared().bytes - bytes;
        for (int l = 0; l < Layout.LANES; l++) {
            long at = address[l];
            if ((mask >>> l & 1) != 0 && (at < 0 || at > limit || (at & bytes - 1) != 0)) {
                boolean inside = at >= 0 && at <= limit;
                throw w.block.fault(inside ? Kind.MISALIGNED : Kind.OUT_OF_BOUNDS, site, w, l,
                        inside ? "shared address %d is not a multiple of %d".formatted(at, bytes)
                                : "%s of %d bytes at shared address %d, the block has %d bytes".formatted(
                                        write ? "write" : "read", bytes, at, w.block.shared().bytes));
            }
        }
    }
}
