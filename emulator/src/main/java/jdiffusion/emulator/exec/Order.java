package jdiffusion.emulator.exec;

import java.util.Arrays;
import java.util.BitSet;

/**
 * Which accesses of the threads of a block, or of a cluster's blocks, come before which. Instructions and barriers are
 * counted as they run; an access comes before a later one of another thread when both threads have met at a barrier
 * since, or each of them at one with a third thread that carries the order on, and so forth. A thread's own accesses
 * are in order.
 *
 * <p>By PTX's memory consistency model, barriers of the block ({@code bar}, {@code barrier}), of the cluster and of
 * lanes ({@code bar.warp.sync}) do that. {@code shfl}, {@code vote}, {@code match}, {@code mma} and {@code ldmatrix}
 * wait for lanes too, but order no memory; nor does it count that lanes happen to run an instruction at the same time.
 *
 * <p>Threads have numbers: those of a cluster's second block follow those of the first one, from a multiple of 128 on.
 */
final class Order {
    /** Numbers are counted anew at the start of a block once they are this large. */
    private static final int MANY = 1 << 30;
    private static final int WARPGROUP = 128;

    private final int threads;
    private final int blocks;
    private final int stride;
    private final int parties;
    /** For each warp the number of the last barrier at which all its lanes met. */
    private final int[] ofWarp;
    /** For each block of a cluster the number of the last barrier at which all its threads met. */
    private final int[] ofBlock;
    /** For each thread when it last executed a {@code fence.proxy.async}. */
    private final int[] asyncFences;
    /** The same of fences that order what came before them for other blocks. */
    private final int[] fences;
    /** For each thread the blocks, by rank, of which it knows that they have started. */
    private final int[] heard;
    private final Flags flags;
    /** For two threads the barrier before which all that the second one did comes before what the first one does. */
    private int[][] known;
    private int now;
    private int start;
    private int ofAll;

    /**
     * Order among some blocks.
     *
     * @param threads of a block
     * @param blocks  of a cluster, or 1
     */
    Order(int threads, int blocks) {
        this.threads = threads;
        this.blocks = blocks;
        int unit = blocks == 1 ? Layout.LANES : WARPGROUP;
        this.stride = Math.ceilDiv(threads, unit) * unit;
        this.ofWarp = new int[blocks * stride / Layout.LANES];
        this.ofBlock = new int[blocks];
        this.parties = blocks * stride + blocks;
        this.asyncFences = new int[parties];
        this.fences = new int[parties];
        this.heard = new int[parties];
        this.flags = new Flags(this);
    }

    Flags flags() {
        return flags;
    }

    /** The number of the first thread of the block of a rank. */
    int first(int rank) {
        return rank * stride;
    }

    /** Whether a number is that of a thread. */
    boolean isThread(int party) {
        return party < blocks * stride;
    }

    /**
     * The number under which the bulk copies to the block of a rank stand among the threads: their writes come before
     * what follows a wait.
     */
    int copies(int rank) {
        return blocks * stride + rank;
    }

    int parties() {
        return parties;
    }

    int blocks() {
        return blocks;
    }

    /** The rank of the block of a thread, or of the block that copies go to. */
    int rank(int party) {
        return isThread(party) ? party / stride : party - blocks * stride;
    }

    /**
     * Blocks start that run together; true when numbers begin anew, and what was noted with the old ones must be
     * forgotten.
     */
    boolean begin() {
        boolean anew = now > MANY;
        if (anew) {
            now = 0;
            known = null;
            Arrays.fill(ofWarp, 0);
            Arrays.fill(ofBlock, 0);
        }
        Arrays.fill(asyncFences, 0);
        Arrays.fill(fences, 0);
        Arrays.fill(heard, 0);
        flags.reset();
        start = next();
        ofAll = start;
        return anew;
    }

    /** A number for what happens next, greater than all before. */
    int next() {
        if (++now < 0) {
            throw new IllegalStateException("a block of threads runs too long to be checked");
        }
        return now;
    }

    /** True when something of that number happened in an earlier block, or never. */
    boolean isOld(int number) {
        return number < start;
    }

    /** What has a smaller number than this comes before all that any thread does now. */
    int last() {
        return ofAll;
    }

    /** True when what {@code other} did under that number comes before what {@code thread} does now. */
    boolean isBefore(int other, int number, int thread) {
        return number < ofAll || other == thread || other >> 5 == thread >> 5 && number < ofWarp[other >> 5]
                || blocks > 1 && number < ofBlock[rank(other)] && rank(other) == rank(thread)
                || known != null && known[thread] != null && number < known[thread][other];
    }

    /** The same when any thread of the other one's warpgroup can tell of it. */
    boolean isBeforeByGroup(int other, int number, int thread) {
        int first = other & -WARPGROUP;
        for (int member = first; member < Math.min(first + WARPGROUP, copies(0)); member++) {
            if (isBefore(member, number, thread)) {
                return true;
            }
        }
        return false;
    }

    /** A thread executes a {@code fence.proxy.async}. */
    void fenceAsync(int thread) {
        asyncFences[thread] = next();
    }

    /** When a thread has last executed a {@code fence.proxy.async}. */
    int fencedAsync(int thread) {
        return asyncFences[thread];
    }

    /** A thread executes a fence that orders what it did for other blocks. */
    void fence(int thread) {
        fences[thread] = next();
    }

    /** When a thread has last executed such a fence; 0 for never. */
    int fenced(int thread) {
        return fences[thread];
    }

    /** Lanes of a warp have met; {@code first} is its first thread. */
    void meet(int first, int lanes) {
        var members = new BitSet(parties);
        for (int rest = lanes; rest != 0; rest &= rest - 1) {
            members.set(first + Integer.numberOfTrailingZeros(rest));
        }
        meet(members);
    }

    /** All threads of all blocks have met. */
    void meetAll() {
        ofAll = next();
    }

    /** Threads of one block have met. */
    void meet(BitSet members) {
        int number = next();
        int count = members.cardinality();
        if (count == threads && blocks == 1) {
            ofAll = number;
            return;
        }
        int first = members.nextSetBit(0);
        int rank = first / stride;
        if (count == threads) {
            ofBlock[rank] = number;
            if (known == null) {
                return;
            }
        } else if (members.length() - 1 >> 5 == first >> 5
                && count == Math.min(Layout.LANES, threads - ((first & -Layout.LANES) - rank * stride))) {
            ofWarp[first >> 5] = number;
            if (known == null) {
                return;
            }
        }
        share(members, number);
    }

    /** For each thread the number before which nothing of it is known. */
    int[] nothing() {
        return new int[parties];
    }

    /** Adds to {@code all} what a thread has done, and what it knows of others, as of now. */
    void release(int thread, int[] all) {
        release(thread, next(), all);
    }

    /** As {@link #release(int, int[])}, of what the thread itself has done only that up to a number. */
    void release(int thread, int number, int[] all) {
        int[] row = known == null ? null : known[thread];
        for (int i = 0; i < parties; i++) {
            all[i] = Math.max(all[i], row == null ? ofAll : Math.max(ofAll, row[i]));
        }
        int warp = thread & -Layout.LANES;
        raise(all, warp, warp + Layout.LANES, ofWarp[thread >> 5]);
        if (blocks > 1) {
            int rank = rank(thread);
            raise(all, first(rank), first(rank + 1), ofBlock[rank]);
            raise(all, copies(rank), copies(rank) + 1, ofBlock[rank]);
        }
        all[thread] = Math.max(all[thread], number);
    }

    private static void raise(int[] all, int from, int to, int number) {
        for (int i = from; i < to; i++) {
            all[i] = Math.max(all[i], number);
        }
    }

    /** Adds to {@code all} that a thread's block has started, and nothing else. */
    void releaseStart(int thread, int[] all) {
        all[thread] = Math.max(all[thread], start + 1);
    }

    /** A thread knows from now on what others have handed on. */
    void acquire(int thread, int[] all) {
        int[] row = row(thread);
        for (int i = 0; i < parties; i++) {
            row[i] = Math.max(row[i], all[i]);
        }
    }

    private int[] row(int thread) {
        if (known == null) {
            known = new int[parties][];
        }
        if (known[thread] == null) {
            known[thread] = new int[parties];
        }
        return known[thread];
    }

    /** Whether a thread knows that the block of a rank has started. */
    boolean hasHeard(int thread, int rank) {
        if (ofAll > start || rank == rank(thread) || (heard[thread] >>> rank & 1) != 0) {
            return true;
        }
        int[] row = known == null ? null : known[thread];
        for (int i = first(rank); row != null && i < first(rank + 1); i++) {
            if (row[i] > start) {
                heard[thread] |= 1 << rank;
                return true;
            }
        }
        return false;
    }

    /** Each of the members knows from now on what any of them knew, and all that they did. */
    private void share(BitSet members, int number) {
        int[] all = nothing();
        members.stream().forEach(thread -> {
            int[] row = row(thread);
            int first = thread & -Layout.LANES;
            for (int i = 0; i < parties; i++) {
                boolean sameWarp = i - first >= 0 && i - first < Layout.LANES;
                all[i] = Math.max(all[i], Math.max(row[i], sameWarp ? ofWarp[thread >> 5] : 0));
            }
        });
        members.stream().forEach(thread -> all[thread] = number);
        members.stream().forEach(thread -> System.arraycopy(all, 0, known[thread], 0, parties));
    }
}
