package jdiffusion.emulator.exec;

import java.util.Arrays;
import java.util.BitSet;

/**
 * Which accesses of a block's threads come before which. Instructions and barriers are counted as they run; an access
 * comes before a later one of another thread when both threads have met at a barrier since, or each of them at one with
 * a third thread that carries the order on, and so forth. A thread's own accesses are in order.
 *
 * <p>By PTX's memory consistency model, barriers of the block ({@code bar}, {@code barrier}) and of lanes
 * ({@code bar.warp.sync}) do that. {@code shfl}, {@code vote}, {@code match}, {@code mma} and {@code ldmatrix} wait for
 * lanes too, but order no memory; nor does it count that lanes happen to run an instruction at the same time.
 */
final class Order {
    /** Numbers are counted anew at the start of a block once they are this large. */
    private static final int MANY = 1 << 30;

    private final int threads;
    private final int parties;
    /** For each warp the number of the last barrier at which all its lanes met. */
    private final int[] ofWarp;
    /** For two threads the barrier before which all that the second one did comes before what the first one does. */
    private int[][] known;
    private int now;
    private int start;
    private int ofBlock;

    Order(int threads) {
        this.threads = threads;
        this.ofWarp = new int[threads + Layout.LANES - 1 >> 5];
        this.parties = copies() + 1;
    }

    /** The number under which bulk copies stand among the threads: their writes come before what follows a wait. */
    int copies() {
        return ofWarp.length * Layout.LANES;
    }

    /** A new block starts; true when numbers begin anew, and what was noted with the old ones must be forgotten. */
    boolean begin() {
        boolean anew = now > MANY;
        if (anew) {
            now = 0;
            known = null;
            Arrays.fill(ofWarp, 0);
        }
        start = next();
        ofBlock = start;
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
        return ofBlock;
    }

    /** True when what {@code other} did under that number comes before what {@code thread} does now. */
    boolean isBefore(int other, int number, int thread) {
        return number < ofBlock || other == thread || other >> 5 == thread >> 5 && number < ofWarp[other >> 5]
                || known != null && number < known[thread][other];
    }

    /** Lanes of a warp have met. */
    void meet(int warp, int lanes) {
        var members = new BitSet(threads);
        for (int rest = lanes; rest != 0; rest &= rest - 1) {
            members.set(warp * Layout.LANES + Integer.numberOfTrailingZeros(rest));
        }
        meet(members);
    }

    /** Threads have met. */
    void meet(BitSet members) {
        int number = next();
        int count = members.cardinality();
        if (count == threads) {
            ofBlock = number;
            return;
        }
        int warp = members.nextSetBit(0) >> 5;
        if (members.length() - 1 >> 5 == warp && count == Math.min(Layout.LANES, threads - warp * Layout.LANES)) {
            ofWarp[warp] = number;
            if (known == null) {
                return;
            }
        } else if (known == null) {
            known = new int[parties][parties];
        }
        share(members, number);
    }

    /** For each thread the number before which nothing of it is known. */
    int[] nothing() {
        return new int[parties];
    }

    /** Adds to {@code all} what a thread has done, and what it knows of others, as of now. */
    void release(int thread, int[] all) {
        int number = next();
        int first = thread & -Layout.LANES;
        for (int i = 0; i < parties; i++) {
            boolean sameWarp = i - first >= 0 && i - first < Layout.LANES;
            all[i] = Math.max(all[i], Math.max(Math.max(ofBlock, known == null ? 0 : known[thread][i]),
                    sameWarp ? ofWarp[thread >> 5] : 0));
        }
        all[thread] = number;
    }

    /** A thread knows from now on what others have handed on. */
    void acquire(int thread, int[] all) {
        if (known == null) {
            known = new int[parties][parties];
        }
        for (int i = 0; i < parties; i++) {
            known[thread][i] = Math.max(known[thread][i], all[i]);
        }
    }

    /** Each of the members knows from now on what any of them knew, and all that they did. */
    private void share(BitSet members, int number) {
        int[] all = nothing();
        members.stream().forEach(thread -> {
            int first = thread & -Layout.LANES;
            for (int i = 0; i < parties; i++) {
                boolean sameWarp = i - first >= 0 && i - first < Layout.LANES;
                all[i] = Math.max(all[i], Math.max(known[thread][i], sameWarp ? ofWarp[thread >> 5] : 0));
            }
        });
        members.stream().forEach(thread -> all[thread] = number);
        members.stream().forEach(thread -> System.arraycopy(all, 0, known[thread], 0, parties));
    }
}
