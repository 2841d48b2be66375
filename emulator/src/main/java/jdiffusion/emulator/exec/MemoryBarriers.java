package jdiffusion.emulator.exec;

import java.util.function.IntUnaryOperator;
import jdiffusion.emulator.DeviceFault.Kind;

/**
 * {@code mbarrier}: barriers in shared memory. The 64 bits of one hold the arrivals that are missing in this phase,
 * those that every phase needs, the bytes that copies still owe to this phase, and the phase's parity. A phase ends
 * when neither arrivals nor bytes are missing.
 */
final class MemoryBarriers {
    /** Most arrivals that a phase can need, and most bytes that can be owed. */
    private static final int MOST = (1 << 20) - 1;
    private static final int EXPECTED_SHIFT = 20;
    private static final int BYTES_SHIFT = 40;
    private static final int BYTES_BITS = 21;
    private static final int PARITY_SHIFT = 63;

    private MemoryBarriers() {}

    private static void check(Warp w, int mask, int site, int how) {
        SharedMemory.checkBounds(w, w.address, mask, site, 8, true);
        if (w.target.checker() != null) {
            w.target.checker().access(w, mask, site, 8, how);
            if (how != SharedChecker.WRITE) {
                w.target.checker().barriers().use(w, mask, site);
            }
            if (w.target != w.block) {
                w.target.checker().barriers().checkMade(w, mask);
            }
        }
    }

    private static long load(Block block, int at) {
        int[] words = block.shared().words;
        return words[at >> 2] & 0xffffffffL | (long) words[(at >> 2) + 1] << 32;
    }

    private static void store(Block block, int at, long state) {
        block.shared().words[at >> 2] = (int) state;
        block.shared().words[(at >> 2) + 1] = (int) (state >>> 32);
        block.happened();
    }

    private static int missing(long state) {
        return (int) state & MOST;
    }

    private static int expected(long state) {
        return (int) (state >>> EXPECTED_SHIFT) & MOST;
    }

    /** Bytes that are owed; below 0 where copies have landed that nobody has announced yet. */
    private static int bytes(long state) {
        return (int) (state << Long.SIZE - BYTES_SHIFT - BYTES_BITS >> Long.SIZE - BYTES_BITS);
    }

    private static int parity(long state) {
        return (int) (state >>> PARITY_SHIFT);
    }

    private static long state(int missing, int expected, int bytes, int parity) {
        return missing | (long) expected << EXPECTED_SHIFT | (bytes & (1L << BYTES_BITS) - 1) << BYTES_SHIFT
                | (long) parity << PARITY_SHIFT;
    }

    static void init(Warp w, int mask, int site, int count) {
        check(w, mask, site, SharedChecker.WRITE);
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            int at = (int) w.address[lane];
            int arrivals = w.r[count + lane];
            if (arrivals < 1 || arrivals > MOST) {
                throw w.block.fault(Kind.OUT_OF_BOUNDS, site, w, lane,
                        "a barrier of %d arrivals; there may be 1 to %d".formatted(arrivals, MOST));
            }
            store(w.target, at, state(arrivals, arrivals, 0, 0));
            if (w.target.checker() != null) {
                w.target.checker().barriers().made(lane, at);
            }
        }
    }

    /** All uses must come before. */
    static void invalidate(Warp w, int mask, int site) {
        check(w, mask, site, SharedChecker.ATOMIC);
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            int at = (int) w.address[lane];
            if (w.block.checker() != null) {
                w.block.checker().barriers().invalidate(w, lane, site);
            }
            boolean tracked = false;
            for (Warp warp : w.block.warps()) {
                tracked |= warp.copies.arriveAt(at);
            }
            if (tracked || bytes(load(w.block, at)) != 0) {
                throw w.block.fault(Kind.BARRIER, site, w, lane, ("the barrier at shared byte %d is made invalid while"
                        + " copies are under way that it counts: %s").formatted(at, text(load(w.block, at))));
            }
        }
    }

    /**
     * Arrives; the state before goes to {@code token} where that is a slot and not -1.
     *
     * @param count  slot of how many arrivals it stands for, or -1 for one
     * @param expect slot of the bytes that copies will bring in this phase, or -1 for none
     * @param drop   1 when later phases need as many arrivals less
     */
    static void arrive(Warp w, int mask, int site, int token, int count, int expect, int drop) {
        check(w, mask, site, SharedChecker.ATOMIC);
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            int at = (int) w.address[lane];
            long before = load(w.target, at);
            if (token >= 0) {
                w.q[token + lane] = before;
            }
            if (w.target.checker() != null) {
                w.target.checker().releases().arrive(at, w.base + lane);
            }
            int arrivals = count < 0 ? 1 : w.r[count + lane];
            if (arrivals < 1 || arrivals > missing(before)) {
                throw w.block.fault(Kind.BARRIER, site, w, lane,
                        "%d arrivals at the barrier at shared byte %d, where %s".formatted(arrivals, at, text(before)));
            }
            int owed = bytes(before) + (expect < 0 ? 0 : w.r[expect + lane]);
            checkBytes(w, lane, site, at, owed);
            update(w.target, at, missing(before) - arrivals, expected(before) - (drop != 0 ? arrivals : 0), owed,
                    parity(before));
        }
    }

    /** Copies will bring as many bytes in this phase as a slot says; or, with {@code sign} -1, as many have come. */
    static void owe(Warp w, int mask, int site, int slot, int sign) {
        check(w, mask, site, SharedChecker.ATOMIC);
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            int at = (int) w.address[lane];
            long before = load(w.target, at);
            int owed = bytes(before) + sign * w.r[slot + lane];
            checkBytes(w, lane, site, at, owed);
            update(w.target, at, missing(before), expected(before), owed, parity(before));
        }
    }

    private static void checkBytes(Warp w, int lane, int site, int at, int owed) {
        if (owed < -MOST || owed > MOST) {
            throw w.block.fault(Kind.BARRIER, site, w, lane,
                    "%d bytes are owed to the barrier at shared byte %d; there may be %d".formatted(owed, at, MOST));
        }
    }

    /**
     * Lanes will arrive when their copies have landed, and hand on what they have done until now.
     *
     * @param more whether the phase takes an arrival more for each of them
     */
    static void track(Warp w, int mask, int site, boolean more) {
        check(w, mask, site, SharedChecker.ATOMIC);
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            int at = (int) w.address[lane];
            if (w.block.checker() != null) {
                w.block.checker().releases().arrive(at, w.base + lane);
            }
            long before = load(w.block, at);
            if (more && missing(before) == MOST) {
                throw w.block.fault(Kind.BARRIER, site, w, lane, "more than %d arrivals are missing at the barrier at"
                        .formatted(MOST) + " shared byte " + at);
            }
            store(w.block, at, state(missing(before) + (more ? 1 : 0), expected(before), bytes(before),
                    parity(before)));
        }
    }

    /** A lane's copies have landed. */
    static void tracked(Warp w, int lane, int site, int at) {
        long before = load(w.block, at);
        if (missing(before) < 1) {
            throw w.block.fault(Kind.BARRIER, site, w, lane,
                    "1 arrivals at the barrier at shared byte %d, where %s".formatted(at, text(before)));
        }
        update(w.block, at, missing(before) - 1, expected(before), bytes(before), parity(before));
    }

    /** A copy has brought bytes. */
    static void landed(Block block, int at, int bytes) {
        long before = load(block, at);
        update(block, at, missing(before), expected(before), bytes(before) - bytes, parity(before));
    }

    private static void update(Block block, int at, int missing, int expected, int bytes, int parity) {
        boolean over = missing == 0 && bytes == 0;
        store(block, at, over ? state(expected, expected, 0, 1 - parity) : state(missing, expected, bytes, parity));
        if (over && block.checker() != null) {
            block.checker().releases().end(at);
            block.bulk().phaseEnded(at);
            for (Warp warp : block.warps()) {
                warp.copies.phaseEnded(at);
            }
        }
    }

    /** Arrivals that were missing when a token was made. */
    static void pending(Warp w, int mask, int d, int token) {
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            w.r[d + lane] = missing(w.q[token + lane]);
        }
    }

    /** Whether the phase of a token in a 64-bit slot is over. */
    static void test(Warp w, int mask, int site, int p, int token) {
        wait(w, mask, site, p, lane -> parity(w.q[token + lane]));
    }

    /** Whether the phase of that parity, 0 or 1 in a slot, is over. */
    static void testParity(Warp w, int mask, int site, int p, int parity) {
        wait(w, mask, site, p, lane -> w.r[parity + lane] & 1);
    }

    private static void wait(Warp w, int mask, int site, int p, IntUnaryOperator phase) {
        check(w, mask, site, SharedChecker.ATOMIC);
        int over = 0;
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            int at = (int) w.address[lane];
            int waited = phase.applyAsInt(lane);
            // Copies that land as late as they can do so now.
            boolean passed = parity(load(w.block, at)) != waited
                    || isAwaited(w.block, at) && parity(load(w.block, at)) != waited;
            over |= passed ? 1 << lane : 0;
            if (passed && w.block.checker() != null) {
                w.block.bulk().passed(at);
                passed(w.block, at);
                w.block.checker().releases().pass(at, w.base + lane);
            }
            if (!passed) {
                w.stall(site, lane, () -> "it waits at the barrier at shared byte %d, where %s".formatted(at,
                        text(load(w.block, at))));
            }
        }
        w.setPredicate(p, over, mask);
        if (over != mask) {
            w.yield();
        }
    }

    private static boolean isAwaited(Block block, int at) {
        boolean any = block.bulk().isAwaited(at);
        for (Warp warp : block.warps()) {
            any |= warp.copies.isAwaited(at);
        }
        return any;
    }

    /** Who goes on after a phase has the data of the threads' own copies that it waited for. */
    private static void passed(Block block, int at) {
        boolean any = false;
        for (Warp warp : block.warps()) {
            any |= warp.copies.passed(at);
        }
        if (any) {
            block.checker().releases().copied(at, block.rank());
        }
    }

    private static String text(long state) {
        return "%d of %d arrivals and %d bytes of copies are missing in the phase of parity %d".formatted(
                missing(state), expected(state), bytes(state), parity(state));
    }
}
