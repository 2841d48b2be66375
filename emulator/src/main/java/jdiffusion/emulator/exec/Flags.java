package jdiffusion.emulator.exec;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * Order by flags in shared memory, as PTX's memory consistency model has it: a strong store (or an atomic) hands on what
 * its thread had done before its last fence, with {@code .release} all that it has done; who sees the value with a strong
 * load knows that after a fence of its own, with {@code .acquire} at once. Atomics hand on what they find, too. Fences of
 * a block ({@code .cta}) order nothing between blocks of a cluster.
 */
final class Flags {

    /** What a flag hands on to threads of its writer's block, and to those of other blocks; null for nothing. */
    private record Handed(int rank, int[] near, int[] far) {}

    private final Order order;
    /** By rank of the block and cell. */
    private final Map<Long, Handed> flags = new HashMap<>();
    /** By thread what it had done and knew of at its last fence of any scope; null for none. */
    private final int[][] fencedNear;
    /** The same of fences that count for other blocks. */
    private final int[][] fencedFar;
    /** By thread what it has seen, and knows after its next fence; null for nothing. */
    private final int[][] seenNear;
    private final int[][] seenFar;

    Flags(Order order) {
        this.order = order;
        this.fencedNear = new int[order.parties()][];
        this.fencedFar = new int[order.parties()][];
        this.seenNear = new int[order.parties()][];
        this.seenFar = new int[order.parties()][];
    }

    /** Blocks start that run together. */
    void reset() {
        flags.clear();
        Arrays.fill(fencedNear, null);
        Arrays.fill(fencedFar, null);
        Arrays.fill(seenNear, null);
        Arrays.fill(seenFar, null);
    }

    private static long key(int rank, int cell) {
        return (long) rank << Integer.SIZE | cell;
    }

    /** {@code fence} and {@code membar}; {@code near} is 1 for one of the block alone. */
    static void fence(Warp w, int mask, int near) {
        if (w.block.checker() == null) {
            return;
        }
        Order order = w.block.checker().order();
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int thread = w.base + Integer.numberOfTrailingZeros(rest);
            if (near == 0) {
                order.fence(thread);
            }
            // What is noted for flags is much where threads are many.
            if (w.kernel.hasFlags()) {
                order.flags().fence(thread, near != 0);
            }
        }
    }

    private void fence(int thread, boolean near) {
        learn(thread, seenNear);
        fencedNear[thread] = done(thread, fencedNear[thread]);
        if (!near && order.blocks() > 1) {
            learn(thread, seenFar);
            fencedFar[thread] = done(thread, fencedFar[thread]);
        }
    }

    /** What a thread has done and knows of now, added to an array. */
    private int[] done(int thread, int[] before) {
        int[] all = before == null ? order.nothing() : before;
        order.release(thread, all);
        return all;
    }

    private void learn(int thread, int[][] seen) {
        if (seen[thread] != null) {
            order.acquire(thread, seen[thread]);
            seen[thread] = null;
        }
    }

    /**
     * What lanes hand on by an access of shared memory, and what they see of what others have handed on.
     *
     * @param rank  of the block whose memory it is
     * @param shift by which an address is a cell
     * @param how   READ, STORE or ATOMIC
     */
    void access(Warp w, int mask, int rank, Site site, int shift, int bytes, int how) {
        boolean update = how == SharedChecker.ATOMIC;
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            int cell = (int) w.address[lane] >> shift;
            if (!update && !site.strong()) {
                if (how != SharedChecker.READ) {
                    forget(rank, cell, cell + (bytes >> shift));
                }
                continue;
            }
            if (how == SharedChecker.READ || update) {
                load(rank, cell, w.base + lane, site.has(Site.ACQUIRE));
            }
            if (how != SharedChecker.READ) {
                store(rank, cell, w.base + lane, site.has(Site.RELEASE), update);
            }
        }
    }

    /** A store that is not strong: its value hands on nothing. */
    private void forget(int rank, int from, int to) {
        for (int cell = from; cell < to && !flags.isEmpty(); cell++) {
            flags.remove(key(rank, cell));
        }
    }

    /**
     * A strong store, or the store of an atomic.
     *
     * @param releases whether it hands on what is not fenced, too
     * @param update   whether what is there is handed on, too
     */
    private void store(int rank, int cell, int thread, boolean releases, boolean update) {
        Handed before = update ? flags.get(key(rank, cell)) : null;
        int[] near = handed(thread, releases, fencedNear[thread], before == null ? null : before.near);
        int[] far = order.blocks() == 1 ? null
                : handed(thread, releases, fencedFar[thread], before == null ? null : before.far);
        if (near == null && far == null) {
            flags.remove(key(rank, cell));
        } else {
            flags.put(key(rank, cell), new Handed(order.rank(thread), near, far));
        }
    }

    private int[] handed(int thread, boolean releases, int[] fenced, int[] before) {
        int[] own = releases ? done(thread, null) : fenced;
        if (own == null || before == null) {
            return own == null ? before : own.clone();
        }
        int[] all = before.clone();
        raise(all, own);
        return all;
    }

    private static void raise(int[] all, int[] to) {
        for (int i = 0; i < all.length; i++) {
            all[i] = Math.max(all[i], to[i]);
        }
    }

    /** A strong load, or the load of an atomic. */
    private void load(int rank, int cell, int thread, boolean acquires) {
        Handed handed = flags.isEmpty() ? null : flags.get(key(rank, cell));
        if (handed == null) {
            return;
        }
        boolean near = handed.rank == order.rank(thread);
        int[] all = near ? handed.near : handed.far;
        if (all == null) {
            return;
        }
        if (acquires) {
            order.acquire(thread, all);
            return;
        }
        int[][] seen = near ? seenNear : seenFar;
        if (seen[thread] == null) {
            seen[thread] = all.clone();
        } else {
            raise(seen[thread], all);
        }
    }
}
