package jdiffusion.emulator.exec;

import java.util.ArrayList;
import java.util.List;
import jdiffusion.emulator.DeviceFault.Kind;

/**
 * The bulk copies of a block's threads ({@code cp.async.bulk}, with or without a tensor map). A copy is checked when it
 * is issued. It is made at some time from then on: the seed decides whether at once, after other warps have run, or when
 * a thread waits for it, at its barrier or for its group.
 */
final class BulkCopies {
    private static final int ALIGNMENT = 16;

    /** One copy. */
    private static final class Copy {
        final Warp warp;
        final int lane;
        final int site;
        final Chunks chunks;
        /** Of a copy to shared memory: shared address of the barrier that counts its bytes; else -1. */
        final int barrier;
        /** Of a copy to global memory: its group. */
        final int group;
        /** Whether it is made when it is waited for, and not before. */
        boolean late;

        Copy(Warp warp, int lane, int site, Chunks chunks, int barrier, int group) {
            this.warp = warp;
            this.lane = lane;
            this.site = site;
            this.chunks = chunks;
            this.barrier = barrier;
            this.group = group;
        }
    }

    private final Block block;
    private final List<Copy> outstanding = new ArrayList<>();
    /** For each thread the number of its open group. */
    private final int[] group;

    BulkCopies(Block block) {
        this.block = block;
        this.group = new int[(int) block.shape().count()];
    }

    /** A new block starts. */
    void reset() {
        outstanding.clear();
        java.util.Arrays.fill(group, 0);
    }

    /** Addresses of lanes in slots of 64 bits: where to, where from, the barrier; bytes in a slot of 32 bits. */
    static void load(Warp w, int mask, int site, int target, int source, int bytes, int barrier) {
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            check(w, lane, site, w.q[source + lane], w.r[bytes + lane], ALIGNMENT);
            GlobalMemory.checkRange(w, lane, site, w.q[source + lane], w.r[bytes + lane], false);
            start(w, lane, site, Chunks.line(w.q[target + lane], w.q[source + lane], w.r[bytes + lane]), barrier);
        }
    }

    /** The reverse, to global memory; the thread's group tells when it is done. */
    static void store(Warp w, int mask, int site, int target, int source, int bytes) {
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            check(w, lane, site, w.q[target + lane], w.r[bytes + lane], ALIGNMENT);
            GlobalMemory.checkRange(w, lane, site, w.q[target + lane], w.r[bytes + lane], true);
            start(w, lane, site, Chunks.line(w.q[source + lane], w.q[target + lane], w.r[bytes + lane]), -1);
        }
    }

    /**
     * A box of a tensor to shared memory.
     *
     * @param map         slot of the addresses of tensor maps
     * @param coordinates slots, of the dimension that runs fastest first
     */
    static void loadTensor(Warp w, int mask, int site, int target, int map, int barrier, int[] coordinates) {
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            start(w, lane, site, box(w, lane, site, w.q[target + lane], map, coordinates, false), barrier);
        }
    }

    /** The reverse; what lies outside the tensor is not written. */
    static void storeTensor(Warp w, int mask, int site, int map, int source, int[] coordinates) {
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            start(w, lane, site, box(w, lane, site, w.q[source + lane], map, coordinates, true), -1);
        }
    }

    private static Chunks box(Warp w, int lane, int site, long shared, int map, int[] coordinates, boolean write) {
        TensorMap tensor = TensorMap.read(w, lane, site, w.q[map + lane]);
        int[] start = new int[coordinates.length];
        for (int i = 0; i < start.length; i++) {
            start[i] = w.r[coordinates[i] + lane];
        }
        return tensor.box(w, lane, site, shared, start, write);
    }

    private static void check(Warp w, int lane, int site, long address, int bytes, int alignment) {
        if (bytes < 0 || bytes % ALIGNMENT != 0) {
            throw w.block.fault(Kind.MISALIGNED, site, w, lane,
                    "a bulk copy of %d bytes; it must be a multiple of %d".formatted(bytes, ALIGNMENT));
        }
        if (address % alignment != 0) {
            throw w.block.fault(Kind.MISALIGNED, site, w, lane,
                    "global address 0x%x of a bulk copy is not a multiple of %d".formatted(address, alignment));
        }
    }

    /** @param barrier slot of the barrier's address, or -1 for a copy to global memory */
    private static void start(Warp w, int lane, int site, Chunks chunks, int barrier) {
        Block block = w.block;
        boolean load = barrier >= 0;
        chunks.checkShared(w, lane, site, load);
        int at = -1;
        if (load) {
            w.address[lane] = w.q[barrier + lane];
            SharedMemory.checkBounds(w, w.address, 1 << lane, site, 8, true);
            at = (int) w.address[lane];
        }
        if (block.profile() != null) {
            block.profile().bulk(site, chunks.sectors(), chunks.bytes(), chunks.valid(), !load);
        }
        BulkCopies copies = block.bulk();
        var copy = new Copy(w, lane, site, chunks, at, load ? 0 : copies.group[w.index * Layout.LANES + lane]);
        int chance = block.random().nextInt(4);
        copy.late = chance == 1;
        copies.outstanding.add(copy);
        if (chance == 0) {
            copies.finish(copy);
        }
    }

    static void commit(Warp w, int mask) {
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            w.block.bulk().group[w.index * Layout.LANES + Integer.numberOfTrailingZeros(rest)]++;
        }
    }

    /** Ends all groups of each lane but its last {@code pending}. */
    static void await(Warp w, int mask, int pending) {
        BulkCopies copies = w.block.bulk();
        for (Copy copy : List.copyOf(copies.outstanding)) {
            if (copy.barrier < 0 && copy.warp == w && (mask >>> copy.lane & 1) != 0
                    && copy.group < copies.group[w.index * Layout.LANES + copy.lane] - pending) {
                copies.finish(copy);
            }
        }
    }

    /** The warps have had their turn: some of what is under way may be made. */
    void drift() {
        if (outstanding.isEmpty()) {
            return;
        }
        for (Copy copy : List.copyOf(outstanding)) {
            if (!copy.late && block.random().nextBoolean()) {
                finish(copy);
            }
        }
    }

    /** A thread waits at a barrier for what has not come: true when copies to it have been made now. */
    boolean isAwaited(int barrier) {
        boolean any = false;
        for (int i = 0; i < outstanding.size();) {
            Copy copy = outstanding.get(i);
            if (copy.late && copy.barrier == barrier) {
                finish(copy);
                any = true;
            } else {
                i++;
            }
        }
        return any;
    }

    /** The block's threads have ended. */
    void end() {
        while (!outstanding.isEmpty()) {
            finish(outstanding.getFirst());
        }
    }

    private void finish(Copy copy) {
        outstanding.remove(copy);
        if (copy.barrier < 0) {
            copy.chunks.toGlobal(block.shared().words);
        } else {
            copy.chunks.toShared(block.shared().words);
            MemoryBarriers.landed(block, copy.barrier, copy.chunks.bytes());
        }
    }
}
