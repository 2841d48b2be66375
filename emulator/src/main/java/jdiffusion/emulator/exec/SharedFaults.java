package jdiffusion.emulator.exec;

import jdiffusion.emulator.DeviceFault.Kind;

/** The words for what {@link SharedChecker} finds in the shared memory of a block. */
final class SharedFaults {
    private final Block block;
    private final Order order;
    private final int shift;

    /** @param shift by which an address is a cell */
    SharedFaults(Block block, Order order, int shift) {
        this.block = block;
        this.order = order;
        this.shift = shift;
    }

    /**
     * Two accesses of a cell.
     *
     * @param what  with a place for each of them
     * @param how   the second one is, as {@link SharedChecker} says it
     * @param other the thread of the first one, or that of copies; {@code there} is its place
     */
    RuntimeException between(Warp warp, int site, int how, Kind kind, int lane, String what, int cell, int other,
            Site there) {
        String who = order.isThread(other) ? name(warp, other)
                : there.text().contains("bulk") ? "a bulk copy" : "a copy";
        String here = "shared byte %d%s %s".formatted(cell << shift, owner(warp), switch (how) {
            case SharedChecker.READ -> "is read here";
            case SharedChecker.WRITE, SharedChecker.STORE -> "is written here";
            case SharedChecker.ATOMIC -> "is updated here";
            case SharedChecker.REDUCE -> "may be updated from here on";
            default -> "may be written from here on";
        });
        return warp.block.fault(kind, site, warp, lane, what.formatted(here,
                "%s at line %d `%s`".formatted(who, there.line(), there.text())));
    }

    /** Two lanes of one instruction that write different values. */
    RuntimeException twice(Warp warp, int site, int lane, int at, int other) {
        return warp.block.fault(Kind.SHARED_RACE, site, warp, lane, ("shared byte %d is written here by %s too, with"
                + " another value: which of them stays is not defined").formatted(at, name(warp, other)));
    }

    RuntimeException uninitialised(Warp warp, int site, int how, int lane, int cell, int bytes) {
        return warp.block.fault(Kind.UNINITIALISED_SHARED, site, warp, lane,
                "shared byte %d%s (%s of %d bytes at %d) was never written".formatted(cell << shift, owner(warp),
                        how == SharedChecker.ATOMIC ? "atomic access" : "access", bytes, warp.address[lane]));
    }

    private String name(Warp warp, int party) {
        int rank = order.rank(party);
        int thread = party - order.first(rank);
        return "thread %d (warp %d, lane %d)".formatted(thread, thread >> 5, thread % Layout.LANES)
                + (rank == warp.block.rank() ? "" : " of block " + block.peer(rank).index());
    }

    /** Which block the memory is of, where it is not that of the thread that uses it. */
    private String owner(Warp warp) {
        return block == warp.block ? "" : " of block " + block.index();
    }
}
