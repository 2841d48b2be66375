package jdiffusion.emulator.exec;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import jdiffusion.emulator.DeviceFault;

/** The barriers of a block that have numbers ({@code bar}, {@code barrier}): who waits there, and who has arrived. */
final class NamedBarriers {
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

    private final Block block;
    private final List<Waiting> waiting = new ArrayList<>();
    private final List<Part> parts = new ArrayList<>();
    private boolean openedEarly;

    NamedBarriers(Block block) {
        this.block = block;
    }

    /** A new block starts. */
    void reset() {
        waiting.clear();
        parts.clear();
        openedEarly = false;
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

    void wait(Warp warp, int lanes, int id, int count, int next, int site) {
        waiting.add(new Waiting(warp, lanes, id, count, next, site, null));
        if (count > 0 && waiting.stream().anyMatch(w -> w.id() == id && !w.waits())) {
            openEarly(id);
        }
    }

    /** Lanes arrive at a barrier and go on: {@code bar.arrive}. */
    void arrive(Warp warp, int lanes, int id, int count, int site) {
        int[] released = null;
        if (block.checker() != null) {
            if (waiting.stream().anyMatch(w -> w.id() == id && w.warp() == warp)) {
                throw block.fault(DeviceFault.Kind.DIVERGENT_BARRIER, site, warp, Integer.numberOfTrailingZeros(lanes),
                        "arrives again at barrier %d, which has not opened since".formatted(id));
            }
            var here = new Waiting(warp, lanes, id, count, -1, site, null);
            released = block.checker().releases().of(threads(List.of(here)));
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
    boolean release(boolean more) {
        boolean opened = openedEarly;
        openedEarly = false;
        if (waiting.isEmpty()) {
            return opened;
        }
        int live = 0;
        for (Warp warp : block.warps()) {
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
            throw block.fault(DeviceFault.Kind.DEADLOCK, first.site(), first.warp(),
                    Integer.numberOfTrailingZeros(first.lanes()),
                    "the barrier waits for threads that wait at another one");
        }
        return opened;
    }

    /** Lets go all that wait at the barrier where {@code first} waits. */
    private void open(Waiting first, int arrived) {
        block.happened();
        if (block.checker() != null) {
            checkBarrier(waiting.stream().filter(w -> w.id() == first.id()).toList(), arrived, first.count());
        }
        if (block.profile() != null) {
            List<Waiting> waited = waiting.stream().filter(w -> w.id() == first.id() && w.waits()).toList();
            block.profile().meet(waited.isEmpty() ? first.site() : waited.getFirst().site(),
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
                throw block.fault(DeviceFault.Kind.DIVERGENT_BARRIER, first.site(), first.warp(),
                        Integer.numberOfTrailingZeros(first.lanes()), "thread %d waits at line %d instead".formatted(
                                other.warp().index * 32 + Integer.numberOfTrailingZeros(other.lanes()),
                                block.kernel().sites().get(other.site()).line()));
            }
        }
        if (count == 0 && arrived < block.shape().count()) {
            throw block.fault(DeviceFault.Kind.DIVERGENT_BARRIER, first.site(), first.warp(),
                    Integer.numberOfTrailingZeros(first.lanes()), "reached by %d of the block's %d threads, %s"
                            .formatted(arrived, block.shape().count(), "the others have exited"));
        }
        List<Waiting> waited = here.stream().filter(Waiting::waits).toList();
        if (waited.size() == here.size()) {
            block.checker().meet(threads(here));
            return;
        }
        int[] all = block.checker().releases().of(threads(waited));
        here.stream().filter(one -> !one.waits()).forEach(one ->
                Arrays.setAll(all, i -> Math.max(all[i], one.released()[i])));
        block.checker().releases().pass(threads(waited), all);
    }

    private BitSet threads(List<Waiting> of) {
        var threads = new BitSet((int) block.shape().count());
        for (Waiting one : of) {
            for (int rest = one.lanes(); rest != 0; rest &= rest - 1) {
                threads.set(one.warp().base + Integer.numberOfTrailingZeros(rest));
            }
        }
        return threads;
    }
}
