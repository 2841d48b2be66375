package jdiffusion.emulator.exec;

import java.util.Arrays;
import java.util.function.IntConsumer;
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
        Words.load32(w, w.target.shared().words, mask, n, d0, d1, d2, d3);
    }

    static void store32(Warp w, int mask, int site, int n, int d0, int d1, int d2, int d3) {
        int again = check(w, mask, site, 4 * n, true);
        Words.store32(w, w.target.shared().words, mask & ~again, n, d0, d1, d2, d3);
        if (again != 0) {
            storeAgain(w, again, 4 * n,
                    lane -> Words.store32(w, w.target.shared().words, lane, n, d0, d1, d2, d3));
        }
    }

    static void load64(Warp w, int mask, int site, int n, int d0, int d1, int d2, int d3) {
        check(w, mask, site, 8 * n, false);
        Words.load64(w, w.target.shared().words, mask, n, d0, d1);
    }

    static void store64(Warp w, int mask, int site, int n, int d0, int d1, int d2, int d3) {
        int again = check(w, mask, site, 8 * n, true);
        Words.store64(w, w.target.shared().words, mask & ~again, n, d0, d1);
        if (again != 0) {
            storeAgain(w, again, 8 * n, lane -> Words.store64(w, w.target.shared().words, lane, n, d0, d1));
        }
    }

    static void loadSmall(Warp w, int mask, int site, int bytes, int signed, int n, int d0, int d1, int d2, int d3) {
        check(w, mask, site, bytes * n, false);
        Words.loadSmall(w, w.target.shared().words, mask, bytes, signed, n, d0, d1, d2, d3);
    }

    static void storeSmall(Warp w, int mask, int site, int bytes, int signed, int n, int d0, int d1, int d2, int d3) {
        int again = check(w, mask, site, bytes * n, true);
        Words.storeSmall(w, w.target.shared().words, mask & ~again, bytes, n, d0, d1, d2, d3);
        if (again != 0) {
            storeAgain(w, again, bytes * n,
                    lane -> Words.storeSmall(w, w.target.shared().words, lane, bytes, n, d0, d1, d2, d3));
        }
    }

    /**
     * Faults unless every lane's access is inside and aligned; lets checker and counters know.
     *
     * @return lanes that write where another lane does at the same time, as far as that is checked
     */
    static int check(Warp w, int mask, int site, int bytes, boolean write) {
        checkBounds(w, w.address, mask, site, bytes, write);
        SharedChecker checker = w.target.checker();
        int again = 0;
        if (checker != null) {
            int how = write ? SharedChecker.STORE : SharedChecker.READ;
            again = checker.access(w, mask, site, bytes, how);
            if (w.kernel.hasFlags()) {
                checker.flags(w, mask, site, bytes, how);
            }
        }
        if (w.block.profile() != null) {
            w.block.profile().shared(site, w.address, mask, bytes);
        }
        return again;
    }

    /** Lanes store where another lane of the instruction has: which of them is the last is not defined. */
    private static void storeAgain(Warp w, int lanes, int bytes, IntConsumer store) {
        int[] words = w.target.shared().words;
        for (int rest = lanes; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            int from = (int) (w.address[lane] >> 2);
            int[] before = Arrays.copyOfRange(words, from, from + (bytes + 3 >> 2));
            store.accept(1 << lane);
            if (!Arrays.equals(before, 0, before.length, words, from, from + before.length)) {
                throw w.target.checker().differing(lane);
            }
        }
    }

    static void checkBounds(Warp w, long[] address, int mask, int site, int bytes, boolean write) {
        int limit = w.target.shared().bytes - bytes;
        for (int l = 0; l < Layout.LANES; l++) {
            long at = address[l];
            if ((mask >>> l & 1) != 0 && (at < 0 || at > limit || (at & bytes - 1) != 0)) {
                boolean inside = at >= 0 && at <= limit;
                throw w.block.fault(inside ? Kind.MISALIGNED : Kind.OUT_OF_BOUNDS, site, w, l,
                        inside ? "shared address %d is not a multiple of %d".formatted(at, bytes)
                                : "%s of %d bytes at shared address %d, %s".formatted(write ? "write" : "read", bytes,
                                        at, limits(w, at)));
            }
        }
    }

    /** What an address outside shared memory exceeds. */
    static String limits(Warp w, long at) {
        return at >= ClusterMemory.WINDOW && w.block.cluster() != null
                ? "which lies in a block of the cluster; .shared::cluster or a generic address goes there"
                : "%s has %d bytes".formatted(w.target == w.block ? "the block" : "block " + w.target.index()
                        + " of the cluster", w.target.shared().bytes);
    }
}
