package jdiffusion.emulator.exec;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import jdiffusion.emulator.DeviceFault.Kind;

/**
 * The bulk copies ({@code cp.async.bulk}, with or without a tensor map) and asynchronous stores ({@code st.async}) to a
 * block's shared memory, and from there to global memory, and those that combine what they bring with what is there
 * ({@code cp.reduce.async.bulk}, {@code red.async}). Those to it may come from threads of other blocks of the
 * cluster; a multicast is a copy to each of its blocks. A copy is checked when it is issued. It is made at some time
 * from then on: the seed decides whether at once, after other warps have run, or when
 * a thread waits for it, at its barrier or for its group.
 */
final class BulkCopies {
    private static final int ALIGNMENT = 16;

    /** One copy. */
    private static final class Copy {
        final Warp warp;
        final int lane;
        final int site;
        final Payload payload;
        /** Of a copy to shared memory: shared address of the barrier that counts its bytes; else -1. */
        final int barrier;
        /** Of a copy to global memory: its group. */
        final int group;
        /** Whether it is made when it is waited for, and not before. */
        boolean late;
        /** Whether the phase that counts it is over; only where that is checked. */
        boolean over;
        /** The access of a copy to shared memory, as the checker notes it. */
        long access;
        /** Of a copy from shared memory, while it may read; only where that is checked. */
        AsyncChecker.Reading reading;

        Copy(Warp warp, int lane, int site, Payload payload, int barrier, int group) {
            this.warp = warp;
            this.lane = lane;
            this.site = site;
            this.payload = payload;
            this.barrier = barrier;
            this.group = group;
        }
    }

    private final Block block;
    private final List<Copy> outstanding = new ArrayList<>();
    /** Those that are made and not waited for; only where that is checked. */
    private final List<Copy> unseen = new ArrayList<>();
    /** For each thread the number of its open group. */
    private final int[] group;

    BulkCopies(Block block) {
        this.block = block;
        this.group = new int[(int) block.shape().count()];
    }

    /** A new block starts. */
    void reset() {
        outstanding.clear();
        unseen.clear();
        Arrays.fill(group, 0);
    }

    /**
     * Addresses of lanes in slots of 64 bits: where to, where from, the barrier; bytes in a slot of 32 bits.
     *
     * @param multicast slot of the ranks that get the copy, a bit for each; -1 for the block that the target lies in
     */
    static void load(Warp w, int mask, int site, int target, int source, int bytes, int barrier, int multicast) {
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            check(w, lane, site, w.q[source + lane], w.r[bytes + lane]);
            GlobalMemory.checkRange(w, lane, site, w.q[source + lane], w.r[bytes + lane], false);
            toShared(w, lane, site, target, barrier, multicast, Chunks.line(ClusterMemory.within(w, w.q[target + lane]),
                    w.q[source + lane], w.r[bytes + lane]));
        }
    }

    /**
     * From the block's own shared memory to that of any block of the cluster.
     *
     * @param reduction code of the {@link Reduction} with what is there; -1 for none
     */
    static void transfer(Warp w, int mask, int site, int target, int source, int bytes, int barrier, int reduction) {
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            check(w, lane, site, 0, w.r[bytes + lane]);
            long from = w.q[source + lane];
            Chunks read = Chunks.line(from, 0, w.r[bytes + lane]);
            read.checkShared(w, lane, site, false, w.block);
            Block home = home(w, lane, site, target, barrier);
            Copy copy = start(w, lane, site, home, Chunks.shared(ClusterMemory.within(w, w.q[target + lane]),
                    w.block.shared().words, from, w.r[bytes + lane]).combining(Reduction.of(reduction)),
                    w.q[barrier + lane]);
            if (w.block.checker() != null) {
                copy.reading = w.block.checker().async().begin(w, lane, site, read.addresses(), Chunks.BYTES);
            }
            if (w.block.profile() != null) {
                w.block.profile().transfer(site, w.r[bytes + lane]);
            }
            home.bulk().drift(copy);
        }
    }

    /**
     * {@code st.async} and {@code red.async}: values of 32 or 64 bits that come to shared memory of any block of the
     * cluster some time later.
     *
     * @param wide      1 for values of 64 bits
     * @param reduction code of the {@link Reduction} with what is there; -1 for none
     * @param values    slots of a vector's elements
     */
    static void store(Warp w, int mask, int site, int target, int barrier, int wide, int reduction, int[] values) {
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            int[] words = new int[values.length << wide];
            for (int i = 0; i < values.length; i++) {
                if (wide != 0) {
                    words[2 * i] = (int) w.q[values[i] + lane];
                    words[2 * i + 1] = (int) (w.q[values[i] + lane] >>> 32);
                } else {
                    words[i] = w.r[values[i] + lane];
                }
            }
            Block home = home(w, lane, site, target, barrier);
            int at = Math.clamp(ClusterMemory.within(w, w.q[target + lane]), -1, Integer.MAX_VALUE);
            Copy copy = start(w, lane, site, home, new Payload.Words(at, words, Reduction.of(reduction)),
                    w.q[barrier + lane]);
            if (w.block.profile() != null) {
                w.block.profile().transfer(site, words.length * Integer.BYTES);
            }
            home.bulk().drift(copy);
        }
    }

    /** The reverse of {@link #load}, to global memory; the thread's group tells when it is done. */
    static void store(Warp w, int mask, int site, int target, int source, int bytes, int reduction) {
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            check(w, lane, site, w.q[target + lane], w.r[bytes + lane]);
            GlobalMemory.checkRange(w, lane, site, w.q[target + lane], w.r[bytes + lane], true);
            toGlobal(w, lane, site, Chunks.line(w.q[source + lane], w.q[target + lane], w.r[bytes + lane])
                    .combining(Reduction.of(reduction)));
        }
    }

    /**
     * A box of a tensor to shared memory.
     *
     * @param map         slot of the addresses of tensor maps
     * @param multicast   as {@link #load} has it
     * @param mode        one of those of {@link Im2col}
     * @param coordinates slots, of the dimension that runs fastest first
     */
    static void loadTensor(Warp w, int mask, int site, int target, int map, int barrier, int multicast, int mode,
            int[] coordinates) {
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            TensorMap tensor = TensorMap.read(w, lane, site, w.q[map + lane]);
            toShared(w, lane, site, target, barrier, multicast,
                    tensor.box(w, lane, site, ClusterMemory.within(w, w.q[target + lane]), mode, coordinates, false));
        }
    }

    /**
     * The reverse; what lies outside the tensor is not written.
     *
     * @param reduction number of the {@link Reduction} with what is there, whose type the map says; -1 for none
     */
    static void storeTensor(Warp w, int mask, int site, int map, int source, int reduction, int mode,
            int[] coordinates) {
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            TensorMap tensor = TensorMap.read(w, lane, site, w.q[map + lane]);
            toGlobal(w, lane, site, tensor.box(w, lane, site, w.q[source + lane], mode, coordinates, true)
                    .combining(reduction < 0 ? null : tensor.reduction(w, lane, site, reduction)));
        }
    }

    private static void check(Warp w, int lane, int site, long address, int bytes) {
        if (bytes < 0 || bytes % ALIGNMENT != 0) {
            throw w.block.fault(Kind.MISALIGNED, site, w, lane,
                    "a bulk copy of %d bytes; it must be a multiple of %d".formatted(bytes, ALIGNMENT));
        }
        if (address % ALIGNMENT != 0) {
            throw w.block.fault(Kind.MISALIGNED, site, w, lane,
                    "global address 0x%x of a bulk copy is not a multiple of %d".formatted(address, ALIGNMENT));
        }
    }

    private static void toShared(Warp w, int lane, int site, int target, int barrier, int multicast, Chunks chunks) {
        Block home = home(w, lane, site, target, barrier);
        int ranks = multicast < 0 ? 1 << home.rank() : w.r[multicast + lane] & 0xffff;
        if (multicast >= 0 && ranks >>> w.block.cluster().size() != 0) {
            throw w.block.fault(Kind.OUT_OF_BOUNDS, site, w, lane, "a multicast to ranks 0x%x of a cluster of %d"
                    .formatted(ranks, w.block.cluster().size()));
        }
        if (w.block.profile() != null) {
            w.block.profile().bulk(site, chunks.sectors(), Integer.bitCount(ranks) * chunks.bytes(), chunks.valid(),
                    false);
        }
        for (int rest = ranks; rest != 0; rest &= rest - 1) {
            Block to = w.block.peer(Integer.numberOfTrailingZeros(rest));
            to.bulk().drift(start(w, lane, site, to, chunks, w.q[barrier + lane]));
        }
    }

    /** The block that target and barrier of a copy lie in. */
    private static Block home(Warp w, int lane, int site, int target, int barrier) {
        Block home = ClusterMemory.home(w, lane, site, w.q[target + lane]);
        Block counting = ClusterMemory.home(w, lane, site, w.q[barrier + lane]);
        if (home != counting) {
            throw w.block.fault(Kind.BARRIER, site, w, lane, ("a copy to block %s is counted by a barrier of block %s;"
                    + " both must be of one block").formatted(home.index(), counting.index()));
        }
        return home;
    }

    /** A copy to shared memory of a block of the cluster, that a barrier there counts. */
    private static Copy start(Warp w, int lane, int site, Block home, Payload payload, long barrier) {
        if (home.hasEnded()) {
            throw w.block.fault(Kind.PEER, site, w, lane, "a copy to shared memory of block %s, which has ended"
                    .formatted(home.index()));
        }
        payload.checkShared(w, lane, site, true, home);
        w.target = home;
        w.address[lane] = ClusterMemory.within(w, barrier);
        SharedMemory.checkBounds(w, w.address, 1 << lane, site, 8, true);
        w.target = w.block;
        var copy = new Copy(w, lane, site, payload, (int) w.address[lane], 0);
        if (home.checker() != null) {
            if (home != w.block) {
                w.block.cluster().peers().copyTo(w, lane, site, home);
                home.checker().access(w, 1 << lane, site, 8, SharedChecker.ATOMIC);
                home.checker().barriers().checkMade(w, 1 << lane);
            }
            copy.access = home.checker().access(w, lane, site, payload.addresses(), payload.piece(),
                    payload.reduction() == null ? SharedChecker.COPY : SharedChecker.REDUCE);
        }
        home.bulk().outstanding.add(copy);
        return copy;
    }

    private static void toGlobal(Warp w, int lane, int site, Chunks chunks) {
        Block block = w.block;
        chunks.checkShared(w, lane, site, false, block);
        if (block.profile() != null) {
            block.profile().bulk(site, chunks.sectors(), chunks.bytes(), chunks.valid(), true);
        }
        BulkCopies copies = block.bulk();
        var copy = new Copy(w, lane, site, chunks, -1, copies.group[w.index * Layout.LANES + lane]);
        if (block.checker() != null) {
            copy.reading = block.checker().async().begin(w, lane, site, chunks.addresses(), Chunks.BYTES);
        }
        copies.outstanding.add(copy);
        copies.drift(copy);
    }

    /** Of four copies one is made at once, one when it is waited for, and two some time between. */
    private void drift(Copy copy) {
        int chance = block.random().nextInt(4);
        copy.late = chance == 1;
        if (chance == 0) {
            finish(copy);
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
            if (copies.isOf(copy, w, mask, pending)) {
                copies.finish(copy);
            }
        }
        copies.unseen.removeIf(copy -> {
            boolean ends = copies.isOf(copy, w, mask, pending);
            if (ends) {
                w.block.checker().async().end(copy.reading);
            }
            return ends;
        });
    }

    private boolean isOf(Copy copy, Warp w, int mask, int pending) {
        return copy.barrier < 0 && copy.warp == w && (mask >>> copy.lane & 1) != 0
                && copy.group < group[w.index * Layout.LANES + copy.lane] - pending;
    }

    /** A phase of a barrier is over. */
    void phaseEnded(int barrier) {
        unseen.forEach(copy -> copy.over |= copy.barrier == barrier);
    }

    /** A thread goes on after the phase of a barrier that was the last to end. */
    void passed(int barrier) {
        boolean any = false;
        for (Copy copy : List.copyOf(unseen)) {
            if (copy.over && copy.barrier == barrier) {
                block.checker().landed(copy.payload.addresses(), copy.payload.piece(), copy.site,
                        copy.payload.reduction() != null);
                if (copy.reading != null) {
                    Block source = copy.warp.block;
                    source.checker().async().endCopied(copy.reading, block.rank());
                    source.cluster().peers().copied(copy.warp, copy.lane, copy.site, block.rank(), source);
                }
                unseen.remove(copy);
                any = true;
            }
        }
        if (any) {
            block.checker().releases().copied(barrier, block.rank());
            // Reductions of the same bytes may be on their way to another phase.
            outstanding.forEach(this::keepUnderWay);
            unseen.forEach(this::keepUnderWay);
        }
    }

    private void keepUnderWay(Copy copy) {
        if (copy.payload.reduction() != null && copy.barrier >= 0) {
            block.checker().keepUnderWay(copy.access, copy.payload.addresses(), copy.payload.piece());
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
        if (block.checker() != null) {
            outstanding.addAll(unseen);
            for (Copy copy : outstanding) {
                if (copy.barrier >= 0) {
                    String who = copy.warp.block == block ? "the block" : "block " + block.index();
                    throw copy.warp.block.fault(Kind.UNFINISHED_COPY, copy.site, copy.warp, copy.lane, ("%s ends, and"
                            + " nobody has waited for this copy at the barrier at shared byte %d").formatted(who,
                            copy.barrier));
                }
            }
            return;
        }
        while (!outstanding.isEmpty()) {
            finish(outstanding.getFirst());
        }
    }

    private void finish(Copy copy) {
        outstanding.remove(copy);
        if (block.checker() != null) {
            unseen.add(copy);
        }
        if (copy.barrier < 0) {
            ((Chunks) copy.payload).toGlobal(block.shared().words);
        } else {
            copy.payload.toShared(block.shared().words);
            MemoryBarriers.landed(block, copy.barrier, copy.payload.bytes());
        }
    }
}
