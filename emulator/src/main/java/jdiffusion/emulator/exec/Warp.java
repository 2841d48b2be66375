package jdiffusion.emulator.exec;

import java.util.Arrays;
import java.util.function.Supplier;
import jdiffusion.emulator.DeviceFault.Kind;
import jdiffusion.emulator.Watcher;

/** Registers and control flow of 32 threads. Lanes that diverge run one group at a time, earliest block first. */
public final class Warp {
    /** Result of a basic block after which the warp itself knows where its lanes are. */
    public static final int ELSEWHERE = -1;
    /** Ways back to an earlier basic block, or to one where lanes meet, after which another warp has its turn. */
    private static final int PATIENCE = 1 << 20;
    /** The same after a load that other warps may be waited for by. */
    private static final int SOON = 1 << 8;

    /** An instruction at which a lane waits, and what for. */
    record Stall(int site, int lane, Supplier<String> what) {}

    final Block block;
    final int index;
    /** The number of its first thread in {@link Order}. */
    final int base;
    final CompiledKernel kernel;
    final int[] r;
    final long[] q;
    final int[] p;
    /** Addresses of the memory access under way, by lane. */
    final long[] address = new long[Layout.LANES];
    final int[] local;
    final AsyncCopies copies;
    /** Null where the kernel has none. */
    final WarpgroupProducts products;
    /** Lanes that exist and have not exited. */
    int live;
    /** Instructions since it last met others at a barrier, where that is counted. */
    long sinceBarrier;
    private final int[] pending;
    private final long[] pendingBits;
    private final int[] parked;
    private int ready;
    private int parkedLanes;
    private boolean forced;
    /** By lane; null as long as nothing was called. */
    CallStack[] stacks;
    private int patience;
    private boolean last;
    private Stall stalled;

    /** The block whose shared memory the access under way is to: always its own, but of {@link ClusterMemory}. */
    Block target;
    /** The number in {@link Order} of its last access of shared memory, where that is checked. */
    int touched;

    Warp(Block block, int index, int base) {
        this.block = block;
        this.target = block;
        this.base = base;
        this.index = index;
        this.kernel = block.kernel();
        this.r = new int[kernel.ints()];
        this.q = new long[kernel.longs()];
        this.p = new int[kernel.predicates()];
        this.local = new int[Layout.LANES * localStride()];
        this.copies = new AsyncCopies(this);
        this.products = kernel.products().isEmpty() ? null : new WarpgroupProducts(this);
        int blocks = kernel.blockSites().length;
        this.pending = new int[blocks];
        this.parked = new int[blocks];
        this.pendingBits = new long[(blocks >> 6) + 1];
    }

    /** Words of local memory per lane. */
    int localStride() {
        return kernel.localBytes() + 3 >> 2;
    }

    /** Sets everything as at the start of a block; {@code threads} are those of the block. */
    void reset(int threads) {
        Arrays.fill(r, 0);
        Arrays.fill(q, 0);
        Arrays.fill(p, 0);
        Arrays.fill(local, 0);
        int[] constants = kernel.intConstants();
        for (int i = 0; i < constants.length; i += 2) {
            Arrays.fill(r, constants[i], constants[i] + Layout.LANES, constants[i + 1]);
        }
        long[] longs = kernel.longConstants();
        for (int i = 0; i < longs.length; i += 2) {
            Arrays.fill(q, (int) longs[i], (int) longs[i] + Layout.LANES, longs[i + 1]);
        }
        for (Layout.Special special : kernel.specials()) {
            if (special.name().equals(Specials.IS_EXPLICIT_CLUSTER)) {
                p[special.slot()] = block.hasClusterShape() ? -1 : 0;
                continue;
            }
            for (int lane = 0; lane < Layout.LANES && !Specials.isClock(special.name()); lane++) {
                r[special.slot() + lane] = Specials.value(special.name(), block, index * Layout.LANES + lane);
            }
        }
        int count = Math.min(Layout.LANES, threads - index * Layout.LANES);
        live = count == Layout.LANES ? -1 : (1 << count) - 1;
        Arrays.fill(pending, 0);
        Arrays.fill(pendingBits, 0);
        Arrays.fill(parked, 0);
        ready = 0;
        parkedLanes = 0;
        copies.reset();
        if (products != null) {
            products.reset();
        }
        for (int lane = 0; stacks != null && lane < Layout.LANES; lane++) {
            stacks[lane].reset();
        }
        last = false;
        sinceBarrier = 0;
        touched = 0;
        resume(0, live);
    }

    /**
     * Runs until every lane has exited or waits at a barrier, or the warp has run for so long that it may wait for
     * another one.
     *
     * @return true when there is more to run
     */
    boolean run() {
        copies.drift();
        stalled = null;
        patience = PATIENCE;
        KernelCode code = kernel.code();
        Profile profile = block.profile();
        RegisterCheck registers = products == null ? null : products.registers();
        Watcher watcher = block.watcher();
        while ((ready | parkedLanes) != 0) {
            int at = ready != 0 ? nextPending() : unpark();
            int mask = pending[at];
            pending[at] = 0;
            pendingBits[at >> 6] &= ~(1L << at);
            ready &= ~mask;
            while (true) {
                if (profile != null) {
                    profile.begin(this, at, mask);
                }
                if (registers != null) {
                    registers.enter(at);
                }
                if (watcher != null) {
                    show(watcher, at, mask);
                }
                int next = code.run(this, at, mask);
                if (next < 0) {
                    break;
                }
                // Who waits for another warp goes round and round, so only ways back are counted.
                if (ready != 0 || next <= at && --patience < 0) {
                    resume(next, mask);
                    break;
                }
                at = next;
            }
            forced = false;
            if (--patience < 0) {
                last = !last;
                return true;
            }
        }
        return false;
    }

    private void show(Watcher watcher, int at, int mask) {
        for (int site : kernel.blockSites()[at]) {
            if (site >= 0) {
                watcher.before(new WarpState(this, kernel.sites().get(site), mask));
                return;
            }
        }
    }

    /** Lets other warps, and other lanes of this one, run soon: what this one waits for may be up to them. */
    void yield() {
        patience = Math.min(patience, 1);
        if (block.isCooperative()) {
            Thread.onSpinWait();
        }
    }

    /** The same where a load may be one of many that wait for another warp, or one of many that do not. */
    void yieldSoon() {
        patience = Math.min(patience, SOON);
    }

    /** The earliest block where lanes are ready; every other time, for a warp that has run for long, the latest. */
    private int nextPending() {
        if (last) {
            for (int i = pendingBits.length - 1; i >= 0; i--) {
                if (pendingBits[i] != 0) {
                    return (i << 6) + 63 - Long.numberOfLeadingZeros(pendingBits[i]);
                }
            }
        }
        for (int i = 0;; i++) {
            if (pendingBits[i] != 0) {
                return (i << 6) + Long.numberOfTrailingZeros(pendingBits[i]);
            }
        }
    }

    private int unpark() {
        int at = 0;
        while (parked[at] == 0) {
            at++;
        }
        int mask = parked[at];
        parked[at] = 0;
        parkedLanes &= ~mask;
        resume(at, mask);
        forced = true;
        return at;
    }

    /** Lanes of {@code mask} go on at a block when their turn comes. */
    void resume(int at, int mask) {
        if (mask != 0) {
            pending[at] |= mask;
            pendingBits[at >> 6] |= 1L << at;
            ready |= mask;
        }
    }

    /** Lanes have parted at the end of a block. */
    void parted(int at) {
        if (block.profile() != null) {
            block.profile().part(at);
        }
    }

    /** Lanes part: {@code taken} go to one block, the other ones to another. */
    int split(int target, int taken, int otherwise, int rest) {
        parted(otherwise - 1);
        resume(target, taken);
        resume(otherwise, rest);
        return ELSEWHERE;
    }

    /** Lanes of {@code mask} end, the others of {@code all} go on at {@code next}. */
    int exit(int mask, int next, int all) {
        if (mask != 0 && mask != all) {
            parted(next - 1);
        }
        live &= ~mask;
        resume(next, all & ~mask);
        return ELSEWHERE;
    }

    /** Each lane goes to the block that {@code targets} lists under its number in slot {@code index}. */
    int branchIndexed(int[] targets, int slot, int mask, int next) {
        int first = targets[r[slot + Integer.numberOfTrailingZeros(mask)]];
        boolean together = true;
        for (int lane = 0; lane < Layout.LANES; lane++) {
            if ((mask >>> lane & 1) != 0) {
                resume(targets[r[slot + lane]], 1 << lane);
                together &= targets[r[slot + lane]] == first;
            }
        }
        if (!together) {
            parted(next - 1);
        }
        return ELSEWHERE;
    }

    /**
     * Lanes of {@code mask} are before an instruction that {@code members} must execute together.
     *
     * @return true when they are all here, or when the missing ones cannot come
     */
    boolean together(int at, int mask, int members, int site) {
        int need = members & live;
        if ((mask & need) == need) {
            return true;
        }
        if (forced) {
            if (block.checker() != null) {
                throw block.fault(Kind.DIVERGENT_BARRIER, site, this,
                        Integer.numberOfTrailingZeros(need & ~mask),
                        "executed by lanes 0x%x of the 0x%x that must take part".formatted(mask, need));
            }
            forced = false;
            return true;
        }
        if (block.profile() != null) {
            block.profile().takeBack(this, at, mask);
        }
        int all = parked[at] | mask;
        if ((all & need) == need) {
            parked[at] = 0;
            parkedLanes &= ~all;
            resume(at, all);
        } else {
            parked[at] = all;
            parkedLanes |= all;
        }
        return false;
    }

    /**
     * As {@link #together}, with the members in a slot: lanes that are here may name several groups, which go on when
     * each of them is whole.
     */
    boolean togetherAsNamed(int at, int mask, int slot, int site) {
        int first = members(slot, mask);
        if (forced) {
            return together(at, mask, first, site);
        }
        if ((first & live) == mask || whole(mask, slot) == mask) {
            return true;
        }
        if (block.profile() != null) {
            block.profile().takeBack(this, at, mask);
        }
        int all = parked[at] | mask;
        int whole = whole(all, slot);
        parked[at] = all & ~whole;
        parkedLanes = parkedLanes & ~all | parked[at];
        resume(at, whole);
        return false;
    }

    /** Those of some lanes whose groups, as masks in a slot name them, are all among them. */
    private int whole(int lanes, int slot) {
        int whole = lanes;
        int before;
        do {
            before = whole;
            for (int rest = before; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                whole &= (r[slot + lane] & live & ~before) == 0 ? -1 : ~(1 << lane);
            }
        } while (whole != before);
        return whole;
    }

    /** Member mask in a slot, as the first lane of {@code mask} has it. */
    int members(int slot, int mask) {
        return r[slot + Integer.numberOfTrailingZeros(mask)];
    }

    /** Checks that an instruction of the whole warp is executed by all 32 lanes. */
    void checkWhole(int mask, int site) {
        if (mask != -1) {
            throw block.fault(Kind.DIVERGENT_BARRIER, site, this, Integer.numberOfTrailingZeros(mask),
                    "executed by lanes 0x%x, and all 32 must".formatted(mask));
        }
    }

    /** Ends the kernel with a fault when a lane traps. */
    void trap(int mask, int site) {
        if (mask != 0) {
            throw block.fault(Kind.TRAP, site, this,
                    Integer.numberOfTrailingZeros(mask), "the kernel executed trap");
        }
    }

    /** Sets predicate bits of the lanes in {@code mask}. */
    void setPredicate(int predicate, int bits, int mask) {
        if (predicate >= 0) {
            p[predicate] = p[predicate] & ~mask | bits & mask;
        }
    }

    /** Lane addresses from 32-bit registers, zero-extended. */
    void address32(int slot, int offset) {
        for (int lane = 0; lane < Layout.LANES; lane++) {
            address[lane] = (r[slot + lane] & 0xffffffffL) + offset;
        }
    }

    /** Lane addresses from 64-bit registers. */
    void address64(int slot, long offset) {
        for (int lane = 0; lane < Layout.LANES; lane++) {
            address[lane] = q[slot + lane] + offset;
        }
    }

    /** The same address for every lane. */
    void addressConstant(long value) {
        Arrays.fill(address, value);
    }

    /** A lane waits for something that others do. */
    void stall(int site, int lane, Supplier<String> what) {
        stalled = new Stall(site, lane, what);
    }

    /** Where it has waited in vain for others since it last began to run; null for nowhere. */
    Stall stalled() {
        return stalled;
    }
}
