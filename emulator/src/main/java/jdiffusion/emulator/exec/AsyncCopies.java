package jdiffusion.emulator.exec;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The {@code cp.async} copies of a warp's threads. A copy's source is checked when it is issued; its data is read and
 * lands in shared memory only when its thread waits for its group.
 */
final class AsyncCopies {

    /** One instruction's copies; lanes leave {@code lanes} as their data lands. */
    private static final class Copy {
        int lanes;
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
     * @param sizes slot of the source sizes, or -1 when all {@code bytes} are copied; the rest is zeros
     */
    static void issue(Warp w, int mask, int site, int bytes, int source, long offset, int sizes) {
        if (mask == 0) {
            return;
        }
        AsyncCopies copies = w.copies;
        SharedMemory.checkBounds(w, w.address, mask, site, bytes, true);
        if (w.block.profile() != null) {
            w.block.profile().shared(site, w.address, mask, bytes);
        }
        Copy copy = copies.free.isEmpty() ? new Copy() : copies.free.removeLast();
        copy.lanes = mask;
        copy.site = site;
        copy.bytes = bytes;
        int reading = 0;
        for (int l = 0; l < Layout.LANES; l++) {
            copy.target[l] = w.address[l];
            copy.source[l] = w.q[source + l] + offset;
            copy.sourceBytes[l] = sizes < 0 ? bytes : Math.clamp(w.r[sizes + l], 0, bytes);
            copy.group[l] = copies.group[l];
            reading |= copy.sourceBytes[l] > 0 ? 1 << l : 0;
            w.address[l] = copy.source[l];
        }
        GlobalMemory.checkParts(w, mask & reading, site, bytes, copy.sourceBytes);
        copies.outstanding.add(copy);
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

    /** Lands all groups of each lane but its last {@code pending}; with -1 also what is not committed. */
    static void await(Warp w, int mask, int pending) {
        AsyncCopies copies = w.copies;
        for (Copy copy : copies.outstanding) {
            int landing = 0;
            for (int l = 0; l < Layout.LANES; l++) {
                if (pending < 0 || copy.group[l] < copies.group[l] - pending) {
                    landing |= 1 << l;
                }
            }
            copies.land(copy, landing & mask & copy.lanes);
            if (copy.lanes == 0) {
                copies.free.add(copy);
            }
        }
        copies.outstanding.removeIf(copy -> copy.lanes == 0);
    }

    private void land(Copy copy, int lanes) {
        int[] words = warp.block.shared().words;
        SharedChecker checker = warp.block.checker();
        for (int l = 0; l < Layout.LANES; l++) {
            if ((lanes >>> l & 1) == 0) {
                continue;
            }
            int at = (int) copy.target[l];
            if (checker != null) {
                checker.access(warp, l, at, copy.bytes, true, copy.site);
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
        copy.lanes &= ~lanes;
    }
}
