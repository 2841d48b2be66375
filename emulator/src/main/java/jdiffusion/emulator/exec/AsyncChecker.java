package jdiffusion.emulator.exec;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import jdiffusion.emulator.DeviceFault.Kind;

/**
 * What a block's asynchronous instructions read of shared memory: bulk copies to global memory, and products of
 * warpgroups. They read from their issue on until they are waited for, and see what threads have stored only after a
 * {@code fence.proxy.async}.
 */
final class AsyncChecker {

    /** Reads under way, of pieces of equal size. */
    record Reading(Warp warp, int lane, int site, int[] addresses, int bytes) {}

    private final Block block;
    private final SharedChecker checker;
    private final int shift;
    private final int cells;
    private final List<Reading> readings = new ArrayList<>();
    /** For each cell how many reads are under way; null as long as there was none. */
    private short[] reading;

    AsyncChecker(Block block, SharedChecker checker, int shift, int cells) {
        this.block = block;
        this.checker = checker;
        this.shift = shift;
        this.cells = cells;
    }

    /** A new block starts. */
    void reset() {
        for (Reading one : List.copyOf(readings)) {
            count(one, -1);
            readings.remove(one);
        }
    }

    /** {@code fence.proxy.async}. */
    static void fence(Warp w, int mask) {
        if (w.block.checker() != null) {
            for (int rest = mask; rest != 0; rest &= rest - 1) {
                w.block.checker().order().fenceAsync(w.base + Integer.numberOfTrailingZeros(rest));
            }
        }
    }

    /** A lane's instruction reads from now on. */
    Reading begin(Warp w, int lane, int site, int[] addresses, int bytes) {
        checker.access(w, lane, site, addresses, bytes, SharedChecker.READ);
        var made = new Reading(w, lane, site, addresses, bytes);
        if (reading == null) {
            reading = new short[cells];
        }
        readings.add(made);
        count(made, 1);
        return made;
    }

    /** The instruction has been waited for. */
    void end(Reading one) {
        if (readings.remove(one)) {
            count(one, -1);
            checker.readBefore(one.warp(), one.lane(), one.site(), one.addresses(), one.bytes());
        }
    }

    /** Bulk copies to the block of a rank have read, and who has waited for them knows it. */
    void endCopied(Reading one, int rank) {
        if (readings.remove(one)) {
            count(one, -1);
            checker.readBefore(checker.order().copies(rank), one.site(), one.addresses(), one.bytes());
        }
    }

    private void count(Reading one, int change) {
        for (int at : one.addresses()) {
            for (int i = at >> shift; i < (at >> shift) + (one.bytes() >> shift); i++) {
                reading[i] += (short) change;
            }
        }
    }

    /** Whether anything is being read. */
    boolean isReading() {
        return !readings.isEmpty();
    }

    /** Faults when cells are written that an asynchronous instruction may still read. */
    void checkReads(int from, int to, long own) {
        for (int i = from; i < to; i++) {
            if (reading[i] != 0) {
                throw checker.reading(i, own, readings.stream().filter(covers(i)).findFirst().orElseThrow());
            }
        }
    }

    private Predicate<Reading> covers(int cell) {
        return one -> {
            for (int at : one.addresses()) {
                if (cell >= at >> shift && cell < (at >> shift) + (one.bytes() >> shift)) {
                    return true;
                }
            }
            return false;
        };
    }

    /**
     * Faults when an asynchronous instruction reads what a thread stored and no fence was there since. Where a
     * reduction is under way, nothing is known of what was stored before.
     */
    void checkFences(int from, int to, long[] writes, long own) {
        Order order = checker.order();
        for (int i = from; i < to; i++) {
            if (i > from && writes[i] == writes[i - 1]) {
                continue;
            }
            int writer = checker.thread(writes[i]);
            int number = AccessCode.number(writes[i]);
            if (order.isThread(writer) && !AccessCode.isReducing(writes[i]) && !order.isOld(number)
                    && order.fencedAsync(writer) < number && order.fencedAsync(checker.thread(own)) < number) {
                throw checker.fault(Kind.MISSING_FENCE, own, "%s by an asynchronous instruction and was written by %s"
                        + " with no fence.proxy.async between", i, writes[i]);
            }
        }
    }

    /** Faults when reads of a block that ends were not waited for. */
    void end() {
        if (!readings.isEmpty()) {
            Reading one = readings.getFirst();
            throw block.fault(Kind.UNFINISHED_COPY, one.site(), one.warp(), one.lane(),
                    "the block ends while this may still read its shared memory, and no wait came after it");
        }
    }
}
