package jdiffusion.emulator.exec;

import static jdiffusion.emulator.exec.AccessCode.ATOMIC_FLAG;
import static jdiffusion.emulator.exec.AccessCode.UNDER_WAY;

import java.util.Arrays;
import java.util.BitSet;
import jdiffusion.emulator.DeviceFault;
import jdiffusion.emulator.DeviceFault.Kind;
import jdiffusion.emulator.KernelCounters.InstructionClass;

/**
 * Finds reads of uninitialised shared memory, races there, and uses of bytes to which a copy is under way. Two accesses
 * race when they come from different threads, of one warp or of two, one of them writes, and neither comes before the
 * other by {@link Order}. A {@code cp.async} writes from its issue on until its thread waits for it; what bulk copies
 * and warpgroups' products do is added by {@link AsyncChecker}.
 *
 * <p>Memory is divided into cells of the smallest size that the kernel accesses. Of each cell the checker knows the
 * last write and two of the reads since then: with these it finds a race of a write with any read, as long as threads
 * meet in whole warps or whole blocks.
 */
final class SharedChecker {
    static final int READ = 0;
    static final int WRITE = 1;
    static final int ATOMIC = 2;
    static final int COPY = 3;
    /** A write of which the caller looks whether it changes what another thread has written at the same time. */
    static final int STORE = 4;
    /** As a copy, of what combines what it brings with what is there, atomically. */
    static final int REDUCE = 5;

    private static final int WARPGROUP = 128;
    /** What no access is. */
    private static final long NONE = -1;

    private final Block block;
    private final Order order;
    private final Releases releases;
    private final AsyncChecker async;
    private final SharedFaults faults;
    private final BarrierChecker barriers;
    private final int shift;
    private final AccessCode code;
    private final long[] writes;
    private final long[] reads;
    private final long[] otherReads;
    // The access that is looked at.
    private Warp warp;
    private int site;
    private int bytes;
    private int how;
    /** The last write that was found to be in order with it; {@link #NONE} for none yet. */
    private long passedWrite;
    private final Remembered firstRead;
    private final Remembered secondRead;

    /** @param order among the threads of the block, and of the others of its cluster */
    SharedChecker(Block block, int bytes, Order order) {
        this.code = new AccessCode(order.parties());
        int sites = block.kernel().sites().size();
        if (sites > code.mostSites()) {
            throw new DeviceFault(Kind.BAD_LAUNCH, ("%d instructions are too many to be checked with so many threads;"
                    + " at most %d can be").formatted(sites, code.mostSites()), block.kernel().name(), 0, "", null, -1);
        }
        this.block = block;
        this.order = order;
        this.firstRead = new Remembered(order, code);
        this.secondRead = new Remembered(order, code);
        this.releases = new Releases(order);
        this.shift = Integer.numberOfTrailingZeros(block.kernel().sharedCell());
        this.faults = new SharedFaults(block, order, shift);
        this.barriers = new BarrierChecker(this, releases, order, code);
        int cells = (bytes >> shift) + 1;
        this.writes = new long[cells];
        this.reads = new long[cells];
        this.otherReads = new long[cells];
        this.async = new AsyncChecker(block, this, shift, cells);
    }

    /** What asynchronous instructions read and write. */
    AsyncChecker async() {
        return async;
    }

    Order order() {
        return order;
    }

    /** A new block starts; {@code anew}: numbers of its order begin anew. */
    void reset(boolean anew) {
        releases.reset();
        async.reset();
        if (anew) {
            Arrays.fill(writes, 0);
            Arrays.fill(reads, 0);
            Arrays.fill(otherReads, 0);
        }
    }

    /** What threads hand on at barriers that not all of them wait at. */
    Releases releases() {
        return releases;
    }

    /** Barriers in the block's memory. */
    BarrierChecker barriers() {
        return barriers;
    }

    /** The access that was looked at last, as that of a lane. */
    long last(int lane) {
        return code.of(warp.touched, site, warp.base + lane);
    }

    /** Faults because of the access that was looked at last, of a lane, and another one of the same memory. */
    RuntimeException fault(Kind kind, int lane, String what, long other) {
        return fault(kind, code.of(0, 0, warp.base + lane), what, (int) warp.address[lane] >> shift, other);
    }

    /** Threads have met at a barrier. */
    void meet(BitSet threads) {
        order.meet(threads);
    }

    /**
     * One instruction's accesses, of {@code bytes} each, at the addresses in {@link Warp#address}, which are inside the
     * block's shared memory.
     *
     * @param how READ, WRITE, ATOMIC, COPY or STORE
     * @return lanes that write where another lane of this instruction does; of a store, also where a thread of another
     *         warp has with this instruction and no barrier since
     */
    int access(Warp w, int mask, int site, int bytes, int how) {
        this.warp = w;
        this.site = site;
        this.bytes = bytes;
        this.how = how;
        w.touched = order.next();
        long access = code.of(w.touched, site, 0) | (how == ATOMIC ? ATOMIC_FLAG : how == COPY ? UNDER_WAY : 0);
        int again = 0;
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            long own = access | code.of(0, 0, w.base + lane);
            int from = (int) w.address[lane] >> shift;
            int to = from + (bytes >> shift);
            forget();
            if (how == READ) {
                read(from, to, own);
            } else if (!write(from, to, own)) {
                again |= 1 << lane;
            }
        }
        return again;
    }

    /** What lanes hand on by the accesses that were looked at last, and what they see of what others have handed on. */
    void flags(Warp w, int mask, int site, int bytes, int how) {
        order.flags().access(w, mask, block.rank(), w.kernel.sites().get(site), shift, bytes, how);
    }

    /**
     * The accesses of one lane's asynchronous instruction.
     *
     * @param addresses of pieces of {@code bytes} each
     * @param how       READ, COPY or REDUCE
     * @return the access, for {@link #keepUnderWay}
     */
    long access(Warp w, int lane, int site, int[] addresses, int bytes, int how) {
        this.warp = w;
        this.site = site;
        this.bytes = bytes;
        this.how = how;
        w.touched = order.next();
        long own = code.of(w.touched, site, w.base + lane) | (how == READ ? 0 : UNDER_WAY)
                | (how == REDUCE ? ATOMIC_FLAG : 0);
        forget();
        // A bulk copy that combines reads first what is there; an asynchronous instruction of a thread has no proxy.
        boolean reads = how == READ || how == REDUCE && site(own).kind() == InstructionClass.CP_ASYNC;
        for (int at : addresses) {
            w.address[lane] = at;
            int from = at >> shift;
            if (reads) {
                async.checkFences(from, from + (bytes >> shift), writes, own);
            }
            if (how == READ) {
                read(from, from + (bytes >> shift), own);
            } else {
                write(from, from + (bytes >> shift), own);
            }
        }
        return own;
    }

    /** A reduction is still under way, also where another one of the same bytes is over. */
    void keepUnderWay(long access, int[] addresses, int bytes) {
        for (int at : addresses) {
            Arrays.fill(writes, at >> shift, (at >> shift) + (bytes >> shift), access);
        }
    }

    /** Copies are over, and who goes on after a wait for them knows it: what they wrote comes before that. */
    void landed(int[] addresses, int bytes, int site, boolean atomic) {
        long access = code.of(order.next(), site, order.copies(block.rank())) | (atomic ? ATOMIC_FLAG : 0);
        for (int at : addresses) {
            Arrays.fill(writes, at >> shift, (at >> shift) + (bytes >> shift), access);
        }
    }

    /**
     * Reads of an asynchronous instruction are over, as of now; those of a warpgroup are kept under its first thread.
     */
    void readBefore(Warp w, int lane, int site, int[] addresses, int bytes) {
        boolean product = block.kernel().sites().get(site).kind() == InstructionClass.MMA;
        readBefore(w.base + lane & (product ? -WARPGROUP : -1), site, addresses, bytes);
    }

    /** Reads are over, as of now, that are kept under the number of a thread, or of copies. */
    void readBefore(int thread, int site, int[] addresses, int bytes) {
        long access = code.of(order.next(), site, thread);
        forget();
        for (int at : addresses) {
            for (int i = at >> shift; i < (at >> shift) + (bytes >> shift); i++) {
                keep(i, access, code.of(order.last(), 0, 0));
            }
        }
    }

    /** Lanes have waited for their copies to {@code target}: each can use the data of its own from now on. */
    void landed(Warp w, long[] target, int lanes, int bytes, int site) {
        long access = code.of(order.next(), site, 0);
        for (int rest = lanes; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            int from = (int) target[lane] >> shift;
            Arrays.fill(writes, from, from + (bytes >> shift), access | code.of(0, 0, w.base + lane));
        }
    }

    private void forget() {
        passedWrite = NONE;
        firstRead.forget();
        secondRead.forget();
    }

    private void read(int from, int to, long own) {
        long recent = code.of(order.last(), 0, 0);
        for (int i = from; i < to; i++) {
            long last = writes[i];
            if (last != passedWrite) {
                if (order.isOld(AccessCode.number(last))) {
                    throw faults.uninitialised(warp, site, how, thread(own) % Layout.LANES, i, bytes);
                }
                if (last >= recent || (last & UNDER_WAY) != 0) {
                    compare(i, last, "written", own);
                }
                passedWrite = last;
            }
            keep(i, own, recent);
        }
    }

    /** Keeps a read of a cell, and the one of those before it that the next write needs most. */
    private void keep(int i, long own, long recent) {
        int thread = thread(own);
        long one = reads[i];
        if (one < recent || firstRead.isBefore(one, thread)) {
            reads[i] = own;
            return;
        }
        long other = otherReads[i];
        // Of three that are in no order, two are kept, of different warps if there are.
        if (other < recent || secondRead.isBefore(other, thread)
                || thread(one) >> 5 == thread(other) >> 5 && thread(one) >> 5 != thread >> 5) {
            otherReads[i] = own;
        }
    }

    /** False when another thread has written there with the same instruction, so that it must be the same value. */
    private boolean write(int from, int to, long own) {
        long recent = code.of(order.last(), 0, 0);
        boolean first = true;
        if (async.isReading()) {
            async.checkReads(from, to, own);
        }
        for (int i = from; i < to; i++) {
            long last = writes[i];
            if ((how == ATOMIC || how == REDUCE) && order.isOld(AccessCode.number(last))) {
                throw faults.uninitialised(warp, site, how, thread(own) % Layout.LANES, i, bytes);
            }
            if ((how == WRITE || how == STORE) && AccessCode.number(last) == AccessCode.number(own)) {
                return false;
            }
            boolean alike = how == STORE && last >= recent && isAlike(last, own) && !site(own).strong();
            if (!alike && last != passedWrite && (last >= recent || (last & UNDER_WAY) != 0)) {
                compare(i, last, "written", own);
                passedWrite = last;
            }
            if (reads[i] >= recent && !(firstRead.isBefore(reads[i], thread(own))
                    && secondRead.isBefore(otherReads[i], thread(own)))) {
                compare(i, reads[i], "read", own);
                compare(i, otherReads[i], "read", own);
            }
            if (alike) {
                first = false;
                continue;
            }
            if (how == ATOMIC && AccessCode.isReducing(last) && !order.isOld(AccessCode.number(last))) {
                // It is still to come.
                continue;
            }
            writes[i] = own;
            reads[i] = 0;
            otherReads[i] = 0;
        }
        return first;
    }

    /** Whether threads in no order store with the same instruction, as where several warps hold the same values. */
    private boolean isAlike(long earlier, long own) {
        return AccessCode.isPlain(earlier) && code.site(earlier) == site
                && thread(earlier) >> 5 != thread(own) >> 5 && !isBefore(earlier, thread(own));
    }

    int thread(long access) {
        return code.thread(access);
    }

    private Site site(long access) {
        return block.kernel().sites().get(code.site(access));
    }

    private boolean isBefore(long access, int thread) {
        return order.isBefore(thread(access), AccessCode.number(access), thread);
    }

    /** Faults when an earlier access of a cell and the present one are in no order. */
    private void compare(int cell, long earlier, String verb, long own) {
        boolean atomic = isAtomic(earlier, own);
        if ((earlier & UNDER_WAY) != 0 && !atomic && !order.isOld(AccessCode.number(earlier))) {
            String what = (earlier & ATOMIC_FLAG) != 0 ? "reduction" : "copy";
            String unmet = site(earlier).text().contains("complete_tx") ? "nobody has waited at its barrier"
                    : "that thread has not waited";
            throw fault(Kind.UNFINISHED_COPY, own, "%s while the " + what + " of %s to it may be under way, for which "
                    + unmet, cell, earlier);
        }
        if (isBefore(earlier, thread(own)) || atomic || verb.equals("read") && isProductBefore(earlier,
                thread(own))) {
            return;
        }
        boolean sameWarp = thread(earlier) >> 5 == thread(own) >> 5;
        throw fault(Kind.SHARED_RACE, own, "%s and was " + verb + " by %s with no "
                + (sameWarp ? "bar.warp.sync or other " : "") + "barrier between", cell, earlier);
    }

    /** What a warpgroup's product has read is over for the group as a whole: any of its threads can tell of it. */
    private boolean isProductBefore(long earlier, int thread) {
        return site(earlier).kind() == InstructionClass.MMA
                && order.isBeforeByGroup(thread(earlier), AccessCode.number(earlier), thread);
    }

    /**
     * Atomics are in no race with each other, nor with strong loads and stores, nor these with each other; but what
     * lanes of one warp do by {@code volatile} alone hangs on how they run, which nothing says.
     */
    private boolean isAtomic(long earlier, long own) {
        boolean first = (earlier & ATOMIC_FLAG) != 0;
        boolean second = how == ATOMIC || how == REDUCE;
        if (first || second) {
            return (first || site(earlier).strong()) && (second || site(own).strong());
        }
        if ((earlier & UNDER_WAY) != 0 || how == COPY || !site(earlier).strong() || !site(own).strong()) {
            return false;
        }
        return thread(earlier) >> 5 != thread(own) >> 5
                || !site(earlier).has(Site.VOLATILE) && !site(own).has(Site.VOLATILE);
    }

    RuntimeException fault(Kind kind, long own, String what, int cell, long other) {
        return faults.between(warp, site, how, kind, thread(own) % Layout.LANES, what, cell, thread(other),
                site(other));
    }

    /** The fault of a write of a cell that is being read. */
    RuntimeException reading(int cell, long own, AsyncChecker.Reading other) {
        long access = code.of(0, other.site(), other.warp().base + other.lane());
        return fault(Kind.UNFINISHED_COPY, own, "%s while the asynchronous instruction of %s may still read it", cell,
                access);
    }

    /** The fault of a lane that has changed what another lane wrote with the same instruction, the last looked at. */
    RuntimeException differing(int lane) {
        int at = (int) warp.address[lane];
        long earlier = writes[at >> shift];
        int other = thread(earlier);
        if (other >> 5 != warp.base >> 5) {
            return fault(Kind.SHARED_RACE, code.of(0, 0, warp.base + lane), "%s and was written"
                    + " by %s with another value and no barrier between", at >> shift, earlier);
        }
        return faults.twice(warp, site, lane, at, other);
    }
}
