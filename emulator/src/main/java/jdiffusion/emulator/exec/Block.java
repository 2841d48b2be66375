package jdiffusion.emulator.exec;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.BooleanSupplier;
import jdiffusion.emulator.DeviceFault;
import jdiffusion.emulator.DeviceMemory;
import jdiffusion.emulator.Dim3;
import jdiffusion.emulator.Watcher;

/**
 * Runs blocks of one launch, one after the other, on one thread. The warps of a block run in an order that the seed
 * and the block's number decide, each until it waits at a barrier. They also decide when asynchronous copies land.
 */
public final class Block {

    /** What {@code bar.red} gives. */
    static final int COUNT = 0;
    static final int AND = 1;
    static final int OR = 2;

    /** What lanes at a barrier bring for a reduction, and where they want its result. */
    private record Part(Warp warp, int lanes, int id, int operation, int d, int bits) {}

    /** Lanes that wait at a barrier, or have arrived there and gone on; what these hand on, where that is checked. */
    private record Waiting(Warp warp, int lanes, int id, int count, int next, int site, int[] released) {
        boolean waits() {
            return next >= 0;
        }
    }

    private final CompiledKernel kernel;
    private final DeviceMemory memory;
    private final Dim3 grid;
    private final Dim3 shape;
    private final int dynamicShared;
    private final byte[] parameters;
    private final long seed;
    private final SharedMemory shared;
    private final SharedChecker checker;
    private final Profile profile;
    private final Warp[] warps;
    private final List<Waiting> waiting = new ArrayList<>();
    private final List<Part> parts = new ArrayList<>();
    private final StringBuilder printed = new StringBuilder();
    private final long gridBarrier;
    private final BooleanSupplier stopped;
    private final DeviceMemory.Allocation[] lastHit;
    private Dim3 index;
    private Watcher watcher;
    private SplittableRandom random;
    private boolean openedEarly;

    /**
     * Blocks of one launch.
     *
     * @param gridBarrier address of what the blocks of a cooperative launch meet at, else 0
     * @param profile     may be null
     * @param stopped     asked now and then whether to give up
     */
    public Block(CompiledKernel kernel, DeviceMemory memory, Dim3 grid, Dim3 shape, int dynamicShared,
            byte[] parameters, long gridBarrier, long seed, boolean check, Profile profile, BooleanSupplier stopped) {
        this.gridBarrier = gridBarrier;
        this.stopped = stopped;
        this.kernel = kernel;
        this.memory = memory;
        this.grid = grid;
        this.shape = shape;
        this.dynamicShared = dynamicShared;
        this.parameters = parameters;
        this.seed = seed;
        this.profile = profile;
        this.index = new Dim3(0, 0, 0);
        this.shared = new SharedMemory(sharedBytes());
        this.checker = check ? new SharedChecker(this, sharedBytes(), (int) shape.count()) : null;
        this.lastHit = new DeviceMemory.Allocation[kernel.sites().size()];
        this.warps = new Warp[(int) (shape.count() + 31 >> 5)];
        for (int i = 0; i < warps.length; i++) {
            warps[i] = new Warp(this, i);
        }
    }

    CompiledKernel kernel() {
        return kernel;
    }

    DeviceMemory memory() {
        return memory;
    }

    Dim3 grid() {
        return grid;
    }

    Dim3 shape() {
        return shape;
    }

    Dim3 index() {
        return index;
    }

    int dynamicShared() {
        return dynamicShared;
    }

    int sharedBytes() {
        return kernel.sharedBytes() + dynamicShared;
    }

    byte[] parameters() {
        return parameters;
    }

    SharedMemory shared() {
        return shared;
    }

    /** The checker of shared memory, or null when checks are off. */
    SharedChecker checker() {
        return checker;
    }

    /** What the seed decides in the block that runs. */
    SplittableRandom random() {
        return random;
    }

    /** The counters, or null when they are off. */
    Profile profile() {
        return profile;
    }

    /** Shows what runs to a watcher. */
    public void watch(Watcher shown) {
        this.watcher = shown;
    }

    /** Who is shown what runs, or null. */
    Watcher watcher() {
        return watcher;
    }

    /** The allocation that the instruction at a site used last, by site. */
    DeviceMemory.Allocation[] lastHit() {
        return lastHit;
    }

    /** Runs the block with this linear index to its end. */
    public void run(long linear) {
        index = grid.at(linear);
        shared.clear();
        waiting.clear();
        if (checker != null) {
            checker.reset();
        }
        int threads = (int) shape.count();
        for (Warp warp : warps) {
            warp.reset(threads);
        }
        random = new SplittableRandom(seed * 0x9e3779b97f4a7c15L + linear);
        parts.clear();
        openedEarly = false;
        Warp[] order = warps.clone();
        boolean more;
        do {
            shuffle(order);
            more = false;
            for (Warp warp : order) {
                more |= warp.run();
            }
            if (more && stopped.getAsBoolean()) {
                throw new DeviceFault(DeviceFault.Kind.DEADLOCK, "stopped while it was running", kernel.name(), 0, "",
                        index, -1);
            }
        } while (release(more) || more);
    }

    /** Address of what the blocks of a cooperative launch meet at, else 0. */
    long gridBarrier() {
        return gridBarrier;
    }

    boolean isCooperative() {
        return gridBarrier != 0;
    }

    /** Adds to what the block has printed. */
    void print(String text) {
        printed.append(text);
    }

    /** What the block has printed since this was last asked. */
    public String takePrinted() {
        String text = printed.toString();
        printed.setLength(0);
        return text;
    }

    /** Lanes bring predicates to a barrier. */
    void reduce(Warp warp, int lanes, int id, int operation, int d, int bits) {
        parts.add(new Part(warp, lanes, id, operation, d, bits));
    }

    private void reduce(int id) {
        List<Part> here = parts.stream().filter(p -> p.id() == id).toList();
        int holding = here.stream().mapToInt(p -> Integer.bitCount(p.bits())).sum();
        int all = here.stream().mapToInt(p -> Integer.bitCount(p.lanes())).sum();
        for (Part part : here) {
            if (part.operation() != COUNT) {
                boolean value = part.operation() == AND ? holding == all : holding > 0;
                part.warp().setPredicate(part.d(), value ? -1 : 0, part.lanes());
                continue;
            }
            for (int rest = part.lanes(); rest != 0; rest &= rest - 1) {
                part.warp().r[part.d() + Integer.numberOfTrailingZeros(rest)] = holding;
            }
        }
        parts.removeAll(here);
    }

    private void shuffle(Warp[] order) {
        for (int i = order.length - 1; i > 0; i--) {
            int j = random.nextInt(i + 1);
            Warp swapped = order[i];
            order[i] = order[j];
            order[j] = swapped;
        }
    }

    void wait(Warp warp, int lanes, int id, int count, int next, int site) {
        waiting.add(new Waiting(warp, lanes, id, count, next, site, null));
        if (count > 0 && waiting.stream().anyMatch(w -> w.id() == id && !w.waits())) {
            openEarly(id);
        }
    }

    /** Lanes arrive at a barrier and go on: {@code bar.arrive}. */
    void arrive(Warp warp, int lanes, int id, int count, int site) {
        int[] released = null;
        if (checker != null) {
            if (waiting.stream().anyMatch(w -> w.id() == id && w.warp() == warp)) {
                throw fault(DeviceFault.Kind.DIVERGENT_BARRIER, site, warp, Integer.numberOfTrailingZeros(lanes),
                        "arrives again at barrier %d, which has not opened since".formatted(id));
            }
            released = checker.releases().of(threads(List.of(new Waiting(warp, lanes, id, count, -1, site, null))));
        }
        waiting.add(new Waiting(warp, lanes, id, count, -1, site, released));
        openEarly(id);
    }

    /** Opens a barrier at once when all have come: who has only arrived there may come again before the others run. */
    private void openEarly(int id) {
        List<Waiting> here = waiting.stream().filter(w -> w.id() == id).toList();
        int arrived = here.stream().mapToInt(w -> Integer.bitCount(w.lanes())).sum();
        if (arrived >= here.getFirst().count()) {
            open(here.getFirst(), arrived);
            openedEarly = true;
        }
    }

    /** Opens every barrier whose threads have all come; false when nothing waits. {@code more}: some can run on. */
    private boolean release(boolean more) {
        boolean opened = openedEarly;
        openedEarly = false;
        if (waiting.isEmpty()) {
            return opened;
        }
        int live = 0;
        for (Warp warp : warps) {
            live += Integer.bitCount(warp.live);
        }
        for (int i = 0; i < waiting.size();) {
            Waiting first = waiting.get(i);
            int arrived = 0;
            boolean seen = false;
            boolean wholeBlock = true;
            for (int j = 0; j < waiting.size(); j++) {
                boolean same = waiting.get(j).id() == first.id();
                arrived += same ? Integer.bitCount(waiting.get(j).lanes()) : 0;
                seen |= same && j < i;
                wholeBlock &= !same || waiting.get(j).waits();
            }
            if (!seen && (wholeBlock && arrived == live || first.count() > 0 && arrived >= first.count())) {
                open(first, arrived);
                opened = true;
                i = 0;
            } else {
                i++;
            }
        }
        Waiting first = waiting.stream().filter(Waiting::waits).findFirst().orElse(null);
        if (!opened && !more && first != null) {
            throw fault(DeviceFault.Kind.DEADLOCK, first.site(), first.warp(),
                    Integer.numberOfTrailingZeros(first.lanes()),
                    "the barrier waits for threads that wait at another one");
        }
        return opened;
    }

    /** Lets go all that wait at the barrier where {@code first} waits. */
    private void open(Waiting first, int arrived) {
        if (checker != null) {
            checkBarrier(waiting.stream().filter(w -> w.id() == first.id()).toList(), arrived, first.count());
        }
        if (profile != null) {
            List<Waiting> waited = waiting.stream().filter(w -> w.id() == first.id() && w.waits()).toList();
            profile.meet(waited.isEmpty() ? first.site() : waited.getFirst().site(),
                    waited.stream().map(Waiting::warp).distinct().toList());
        }
        if (!parts.isEmpty()) {
            reduce(first.id());
        }
        int kept = 0;
        for (int i = 0; i < waiting.size(); i++) {
            Waiting one = waiting.get(i);
            if (one.id() == first.id()) {
                one.warp().resume(Math.max(0, one.next()), one.waits() ? one.lanes() : 0);
            } else {
                waiting.set(kept++, one);
            }
        }
        waiting.subList(kept, waiting.size()).clear();
    }

    private void checkBarrier(List<Waiting> here, int arrived, int count) {
        Waiting first = here.getFirst();
        for (Waiting other : here) {
            if (count == 0 && other.site() != first.site()) {
                throw fault(DeviceFault.Kind.DIVERGENT_BARRIER, first.site(), first.warp(),
                        Integer.numberOfTrailingZeros(first.lanes()), "thread %d waits at line %d instead".formatted(
                                other.warp().index * 32 + Integer.numberOfTrailingZeros(other.lanes()),
                                kernel.sites().get(other.site()).line()));
            }
        }
        if (count == 0 && arrived < shape.count()) {
            throw fault(DeviceFault.Kind.DIVERGENT_BARRIER, first.site(), first.warp(),
                    Integer.numberOfTrailingZeros(first.lanes()), "reached by %d of the block's %d threads, %s"
                            .formatted(arrived, shape.count(), "the others have exited"));
        }
        List<Waiting> waited = here.stream().filter(Waiting::waits).toList();
        if (waited.size() == here.size()) {
            checker.meet(threads(here));
            return;
        }
        int[] all = checker.releases().of(threads(waited));
        here.stream().filter(one -> !one.waits()).forEach(one ->
                Arrays.setAll(all, i -> Math.max(all[i], one.released()[i])));
        checker.releases().pass(threads(waited), all);
    }

    private BitSet threads(List<Waiting> of) {
        var threads = new BitSet((int) shape.count());
        for (Waiting one : of) {
            for (int rest = one.lanes(); rest != 0; rest &= rest - 1) {
                threads.set(one.warp().index * Layout.LANES + Integer.numberOfTrailingZeros(rest));
            }
        }
        return threads;
    }

    /** A fault of one lane at a site. */
    DeviceFault fault(DeviceFault.Kind kind, int site, Warp warp, int lane, String what) {
        Site where = kernel.sites().get(site);
        return new DeviceFault(kind, what, kernel.name(), where.line(), where.text(), index,
                warp.index * Layout.LANES + lane);
    }
}
