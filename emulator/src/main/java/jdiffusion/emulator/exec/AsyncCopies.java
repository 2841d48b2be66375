package jdiffusion.emulator.exec;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import jdiffusion.emulator.DeviceFault.Kind;

/**
 * The {@code cp.async} copies of a warp's threads. A copy is checked when it is issued. Its data is read and lands in
 * shared memory at some time from then on until its thread waits for it: the seed decides.
 */
final class AsyncCopies {

    /** One instruction's copies. */
    private static final class Copy {
        /** Whose data has not landed. */
        int flying;
        /** Who has not waited; without checks only those whose data has not landed. */
        int lanes;
        /** Whether the data lands when it is waited for, and not before. */
        boolean late;
        int site;
        int bytes;
        final long[] source = new long[Layout.LANES];
        final long[] target = new long[Layout.LANES];
        final int[] sourceBytes = new int[Layout.LANES];
        final int[] group = new int[Layout.LANES];
    }

    /** Arrivals of lanes at barriers, each when the copies that it had issued until then have landed. */
    private static final class Arrival {
        /** Who is still to arrive. */
        int waiting;
        /** Who has arrived in a phase that is over; only where that is checked. */
        int over;
        /** Who has arrived in one that is not. */
        int arrived;
        final int site;
        final long[] barrier;
        /** Copies that it waits for, or whose data those have who wait at the barrier. */
        final List<Copy> copies;

        Arrival(int lanes, int site, long[] barrier, List<Copy> copies) {
            this.waiting = lanes;
            this.site = site;
            this.barrier = barrier;
            this.copies = copies;
        }
    }

    private final Warp warp;
    private final List<Arrival> arrivals = new ArrayList<>();
    private final List<Copy> outstanding = new ArrayList<>();
    private final List<Copy> free = new ArrayList<>();
    private final int[] group = new int[Layout.LANES];

    AsyncCopies(Warp warp) {
        this.warp = warp;
    }

    void reset() {
        free.addAll(outstanding);
        outstanding.clear();
        arrivals.clear();
        Arrays.fill(group, 0);
    }

    /**
     * Issues copies to the shared addresses in {@link Warp#address}.
     *
     * @param source slot of the global addresses
     * @param sizes slot of the source sizes, of at most {@code bytes}, or -1 for all; the rest is zeros
     */
    static void issue(Warp w, int mask, int site, int bytes, int source, long offset, int sizes) {
        if (mask == 0) {
            return;
        }
        AsyncCopies copies = w.copies;
        SharedMemory.checkBounds(w, w.address, mask, site, bytes, true);
        if (sizes >= 0) {
            checkSizes(w, mask, site, bytes, sizes);
        }
        if (w.block.checker() != null) {
            w.block.checker().access(w, mask, site, bytes, SharedChecker.COPY);
        }
        if (w.block.profile() != null) {
            w.block.profile().shared(site, w.address, mask, bytes);
        }
        Copy copy = copies.free.isEmpty() ? new Copy() : copies.free.removeLast();
        copy.flying = mask;
        copy.lanes = mask;
        copy.site = site;
        copy.bytes = bytes;
        int reading = 0;
        for (int l = 0; l < Layout.LANES; l++) {
            copy.target[l] = w.address[l];
            copy.source[l] = w.q[source + l] + offset;
            copy.sourceBytes[l] = sizes < 0 ? bytes : w.r[sizes + l];
            copy.group[l] = copies.group[l];
            reading |= copy.sourceBytes[l] > 0 ? 1 << l : 0;
            w.address[l] = copy.source[l];
        }
        GlobalMemory.checkParts(w, mask & reading, site, bytes, copy.sourceBytes);
        copies.start(copy);
    }

    private static void checkSizes(Warp w, int mask, int site, int bytes, int sizes) {
        for (int l = 0; l < Layout.LANES; l++) {
            int size = w.r[sizes + l];
            if ((mask >>> l & 1) != 0 && (size < 0 || size > bytes)) {
                throw w.block.fault(Kind.OUT_OF_BOUNDS, site, w, l,
                        "the source's size is %d, and the copy's %d bytes".formatted(size, bytes));
            }
        }
    }

    /** Of four instructions one lands at once, one when it is waited for, one in part at once, one in between. */
    private void start(Copy copy) {
        int drawn = warp.block.random().nextInt();
        int chance = drawn & 3;
        copy.late = chance == 1;
        land(copy, chance == 0 ? copy.flying : chance == 2 ? copy.flying & drawn >> 2 : 0);
        outstanding.add(copy);
        if (copy.lanes == 0) {
            release();
        }
    }

    /** The other warps have had their turn: some of what is under way may have landed. */
    void drift() {
        if (outstanding.isEmpty()) {
            return;
        }
        for (Copy copy : outstanding) {
            if (!copy.late && copy.flying != 0) {
                land(copy, copy.flying & warp.block.random().nextInt());
            }
        }
        release();
    }

    /** Lanes arrive whose copies have landed; forgets copies that no lane needs any more. */
    private void release() {
        if (!arrivals.isEmpty()) {
            arrivals.forEach(this::complete);
            arrivals.removeIf(arrival -> (arrival.waiting | arrival.arrived | arrival.over) == 0);
        }
        outstanding.removeIf(copy -> copy.lanes == 0 && free.add(copy));
    }

    /** Source sizes into slot d: 0 where predicate p (negated or not) says to ignore the source. */
    static void ignoring(Warp w, int mask, int d, int p, int negated, int bytes) {
        for (int l = 0; l < Layout.LANES; l++) {
            w.r[d + l] = (w.p[p] >>> l & 1) != negated ? 0 : bytes;
        }
    }

    static void commit(Warp w, int mask) {
        for (int l = 0; l < Layout.LANES; l++) {
            w.copies.group[l] += mask >>> l & 1;
        }
    }

    /**
     * {@code cp.async.mbarrier.arrive}: each lane arrives at a barrier in shared memory when the copies have landed
     * that it has issued until now. Where the arrival is not counted ({@code noinc} is 0), the phase takes one more.
     */
    static void arrive(Warp w, int mask, int site, int noinc) {
        MemoryBarriers.track(w, mask, site, noinc == 0);
        AsyncCopies copies = w.copies;
        List<Copy> prior = new ArrayList<>(copies.outstanding);
        prior.removeIf(copy -> (copy.lanes & mask) == 0);
        copies.arrivals.add(new Arrival(mask, site, w.address.clone(), prior));
        copies.release();
    }

    private void complete(Arrival arrival) {
        boolean checks = warp.block.checker() != null;
        int flying = 0;
        for (Copy copy : arrival.copies) {
            flying |= copy.flying;
        }
        for (int rest = arrival.waiting & ~flying; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            arrival.waiting &= ~(1 << lane);
            arrival.arrived |= checks ? 1 << lane : 0;
            MemoryBarriers.tracked(warp, lane, arrival.site, (int) arrival.barrier[lane]);
        }
        arrival.copies.removeIf(copy -> (copy.lanes & (arrival.waiting | arrival.arrived | arrival.over)) == 0);
    }

    private static int at(Arrival arrival, int lanes, int barrier) {
        int there = 0;
        for (int rest = lanes; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            there |= arrival.barrier[lane] == barrier ? 1 << lane : 0;
        }
        return there;
    }

    /** Whether lanes will arrive at a barrier when their copies have landed. */
    boolean arriveAt(int barrier) {
        return arrivals.stream().anyMatch(arrival -> at(arrival, arrival.waiting, barrier) != 0);
    }

    /** A thread waits at a barrier for what has not come: true when copies have landed now that it waits for. */
    boolean isAwaited(int barrier) {
        boolean any = false;
        for (Arrival arrival : arrivals) {
            int lanes = at(arrival, arrival.waiting, barrier);
            for (Copy copy : arrival.copies) {
                any |= (lanes & copy.flying) != 0;
                land(copy, lanes & copy.flying);
            }
        }
        if (any) {
            release();
        }
        return any;
    }

    /** A phase of a barrier is over. */
    void phaseEnded(int barrier) {
        for (Arrival arrival : arrivals) {
            int lanes = at(arrival, arrival.arrived, barrier);
            arrival.arrived &= ~lanes;
            arrival.over |= lanes;
        }
    }

    /** A thread goes on after the phase of a barrier: true when there were copies whose data it has now. */
    boolean passed(int barrier) {
        boolean any = false;
        for (Arrival arrival : arrivals) {
            int lanes = at(arrival, arrival.over, barrier);
            arrival.over &= ~lanes;
            for (Copy copy : arrival.copies) {
                int done = copy.lanes & lanes;
                for (int rest = done; rest != 0; rest &= rest - 1) {
                    warp.block.checker().landed(new int[] {(int) copy.target[Integer.numberOfTrailingZeros(rest)]},
                            copy.bytes, copy.site, false);
                }
                copy.lanes &= ~done;
                any |= done != 0;
            }
        }
        if (any) {
            release();
        }
        return any;
    }

    /** Ends all groups of each lane but its last {@code pending}; with -1 also what is not committed. */
    static void await(Warp w, int mask, int pending) {
        AsyncCopies copies = w.copies;
        for (Copy copy : copies.outstanding) {
            int done = 0;
            for (int l = 0; l < Layout.LANES; l++) {
                if (pending < 0 || copy.group[l] < copies.group[l] - pending) {
                    done |= 1 << l;
                }
            }
            done &= mask & copy.lanes;
            copies.land(copy, done & copy.flying);
            copy.lanes &= ~done;
            if (w.block.checker() != null) {
                w.block.checker().landed(w, copy.target, done, copy.bytes, copy.site);
            }
        }
        copies.release();
    }

    private void land(Copy copy, int lanes) {
        int[] words = warp.block.shared().words;
        for (int l = 0; l < Layout.LANES; l++) {
            if ((lanes >>> l & 1) == 0) {
                continue;
            }
            int at = (int) copy.target[l];
            if (copy.sourceBytes[l] == 16) {
                long from = copy.source[l];
                words[at >> 2] = GlobalMemory.word(from);
                words[(at >> 2) + 1] = GlobalMemory.word(from + 4);
                words[(at >> 2) + 2] = GlobalMemory.word(from + 8);
                words[(at >> 2) + 3] = GlobalMemory.word(from + 12);
                continue;
            }
            for (int i = 0; i < copy.bytes; i += 4) {
                int left = copy.sourceBytes[l] - i;
                int word = 0;
                if (left >= 4) {
                    word = GlobalMemory.word(copy.source[l] + i);
                } else if (left > 0) {
                    word = GlobalMemory.word(copy.source[l] + i) & (1 << 8 * left) - 1;
                }
                words[at + i >> 2] = word;
            }
        }
        copy.flying &= ~lanes;
        if (warp.block.checker() == null) {
            copy.lanes = copy.flying;
        }
    }
}
