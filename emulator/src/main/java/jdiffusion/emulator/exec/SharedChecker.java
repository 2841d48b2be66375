package jdiffusion.emulator.exec;

import java.util.Arrays;
import java.util.List;
import jdiffusion.emulator.DeviceFault.Kind;

/**
 * Finds reads of uninitialised shared memory and races there, byte by byte. Two accesses of a byte race when they come
 * from different warps, one of them writes, and no barrier of the whole block lies between them. (Lanes of one warp
 * are not checked against each other.)
 */
final class SharedChecker {
    private static final int NOBODY = -1;
    /** More than one warp has read the byte since the last barrier. */
    private static final int SEVERAL = -2;

    private final Block block;
    private final boolean[] written;
    private final int[] writer;
    private final int[] writerSite;
    private final int[] reader;
    private final int[] readerSite;

    SharedChecker(Block block, int bytes) {
        this.block = block;
        this.written = new boolean[bytes];
        this.writer = new int[bytes];
        this.writerSite = new int[bytes];
        this.reader = new int[bytes];
        this.readerSite = new int[bytes];
    }

    /** A new block starts. */
    void reset() {
        Arrays.fill(written, false);
        forget();
    }

    private void forget() {
        Arrays.fill(writer, NOBODY);
        Arrays.fill(reader, NOBODY);
    }

    /** The warps have met at a barrier; only one of the whole block orders everything. */
    void barrier(List<Warp> warps, boolean whole) {
        if (whole) {
            forget();
            return;
        }
        // A barrier of some warps orders these: what they did belongs to nobody any more, as far as it is theirs.
        for (int i = 0; i < writer.length; i++) {
            if (isOne(writer[i], warps)) {
                writer[i] = NOBODY;
            }
            if (isOne(reader[i], warps)) {
                reader[i] = NOBODY;
            }
        }
    }

    private static boolean isOne(int index, List<Warp> warps) {
        return warps.stream().anyMatch(w -> w.index == index);
    }

    /** One lane's access of {@code bytes} at {@code at}, inside the block's shared memory. */
    void access(Warp w, int lane, int at, int bytes, boolean write, int site) {
        for (int i = at; i < at + bytes; i++) {
            if (!write && !written[i]) {
                throw block.fault(Kind.UNINITIALISED_SHARED, site, w, lane,
                        "shared byte %d (access of %d bytes at %d) was never written".formatted(i, bytes, at));
            }
            if (writer[i] != NOBODY && writer[i] != w.index) {
                throw race(w, lane, i, write, site, "written", writer[i], writerSite[i]);
            }
            if (write) {
                if (reader[i] != NOBODY && reader[i] != w.index) {
                    throw race(w, lane, i, true, site, "read", reader[i], readerSite[i]);
                }
                written[i] = true;
                writer[i] = w.index;
                writerSite[i] = site;
            } else if (reader[i] != w.index) {
                reader[i] = reader[i] == NOBODY ? w.index : SEVERAL;
                readerSite[i] = site;
            }
        }
    }

    /** One lane's atomic access; atomics do not race with each other, so only initialisation is checked. */
    void atomic(Warp w, int lane, int at, int bytes, int site) {
        for (int i = at; i < at + bytes; i++) {
            if (!written[i]) {
                throw block.fault(Kind.UNINITIALISED_SHARED, site, w, lane,
                        "shared byte %d (atomic access of %d bytes at %d) was never written".formatted(i, bytes, at));
            }
        }
    }

    private RuntimeException race(Warp w, int lane, int at, boolean write, int site, String how, int other,
            int otherSite) {
        return block.fault(Kind.SHARED_RACE, site, w, lane,
                "shared byte %d is %s here and was %s by %s at line %d with no barrier between".formatted(
                        at, write ? "written" : "read", how, other == SEVERAL ? "several warps" : "warp " + other,
                        block.kernel().sites().get(otherSite).line()));
    }
}
