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

    private final Warp warp;
    private final List<Copy> outstanding = new ArrayList<>();
    private final List<Copy> free = new ArrayList<>();
    private final int[] group = new int[Layout.LANES];

    AsyncCopies(Warp warp) {
        this.warp = warp;
    }

    void reset() {
        free.addAll(outstanding);
        outstanding.clear();
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

    /** Forgets copies that no lane needs any more. */
    private void release() {
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
     * {@code cp.async.mbarrier.arrive}: each lane arrives at a barrier in shared memory when its copies have come, which
     * they do here at once. Where the arrival is not counted ({@code noinc} is 0), one more was expected for it.
     */
    static void arrive(Warp w, int mask, int site, int noinc) {
        await(w, mask, -1);
        if (noinc != 0) {
            MemoryBarriers.arrive(w, mask, site, -1, -1, -1, 0);
        } else {
            MemoryBarriers.handOn(w, mask, site);
        }
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
