package jdiffusion.emulator.exec;


/**
 * {@code mbarrier}: barriers in shared memory. The first word of one counts the arrivals that are missing in this
 * phase, the second those that every phase needs, with the phase's parity in its highest bit.
 */
final class MemoryBarriers {
    private static final int PARITY = 1 << 31;

    private MemoryBarriers() {}

    private static void check(Warp w, int mask, int site, int how) {
        SharedMemory.checkBounds(w, w.address, mask, site, 8, true);
        if (w.block.checker() != null) {
            w.block.checker().access(w, mask, site, 8, how);
        }
    }

    static void init(Warp w, int mask, int site, int count) {
        check(w, mask, site, SharedChecker.WRITE);
        int[] words = w.block.shared().words;
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            int at = (int) (w.address[lane] >> 2);
            words[at] = w.r[count + lane];
            words[at + 1] = w.r[count + lane];
            if (w.block.checker() != null) {
                w.block.checker().releases().begin(at);
            }
        }
    }

    static void invalidate(Warp w, int mask, int site) {
        check(w, mask, site, SharedChecker.WRITE);
    }

    /** Arrives, {@code count} times where that is a slot and not -1; the state before goes to {@code token}. */
    static void arrive(Warp w, int mask, int site, int token, int count) {
        check(w, mask, site, SharedChecker.ATOMIC);
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            arrive(w, lane, token, count < 0 ? 1 : w.r[count + lane], false);
        }
    }

    /** As {@link #arrive}; later phases need as many arrivals less. */
    static void arriveAndDrop(Warp w, int mask, int site, int token, int count) {
        check(w, mask, site, SharedChecker.ATOMIC);
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            arrive(w, lane, token, count < 0 ? 1 : w.r[count + lane], true);
        }
    }

    private static void arrive(Warp w, int lane, int token, int count, boolean drop) {
        int[] words = w.block.shared().words;
        int at = (int) (w.address[lane] >> 2);
        if (token >= 0) {
            w.q[token + lane] = words[at] & 0xffffffffL | (long) words[at + 1] << 32;
        }
        Releases releases = w.block.checker() == null ? null : w.block.checker().releases();
        if (releases != null) {
            releases.arrive(at, w.index * Layout.LANES + lane);
        }
        words[at] -= count;
        words[at + 1] -= drop ? count : 0;
        if (words[at] == 0) {
            words[at] = words[at + 1] & ~PARITY;
            words[at + 1] ^= PARITY;
            if (releases != null) {
                releases.end(at);
            }
        }
    }

    /** Whether the phase of a token in a 64-bit slot is over. */
    static void test(Warp w, int mask, int site, int p, int token) {
        wait(w, mask, site, p, lane -> (int) (w.q[token + lane] >>> 32) & PARITY);
    }

    /** Whether the phase of that parity, 0 or 1 in a slot, is over. */
    static void testParity(Warp w, int mask, int site, int p, int parity) {
        wait(w, mask, site, p, lane -> w.r[parity + lane] << 31);
    }

    private static void wait(Warp w, int mask, int site, int p, java.util.function.IntUnaryOperator phase) {
        check(w, mask, site, SharedChecker.ATOMIC);
        int over = 0;
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            int at = (int) (w.address[lane] >> 2);
            boolean passed = (w.block.shared().words[at + 1] & PARITY) != phase.applyAsInt(lane);
            over |= passed ? 1 << lane : 0;
            if (passed && w.block.checker() != null) {
                w.block.checker().releases().pass(at, w.index * Layout.LANES + lane);
            }
        }
        w.setPredicate(p, over, mask);
        if (over != mask) {
            w.yield();
        }
    }
}
