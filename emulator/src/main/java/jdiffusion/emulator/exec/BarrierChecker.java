package jdiffusion.emulator.exec;

import jdiffusion.emulator.DeviceFault.Kind;

/** Finds uses of barriers in a block's shared memory that come before they are made, or after they are made invalid. */
final class BarrierChecker {
    private final SharedChecker checker;
    private final Releases releases;
    private final Order order;
    private final AccessCode code;

    BarrierChecker(SharedChecker checker, Releases releases, Order order, AccessCode code) {
        this.checker = checker;
        this.releases = releases;
        this.order = order;
        this.code = code;
    }

    /** A lane has made a barrier at a place, with the access that was looked at last. */
    void made(int lane, int at) {
        releases.begin(at, checker.last(lane));
    }

    /** Faults unless the barriers that lanes use, with the access that was looked at last, were made before. */
    void checkMade(Warp w, int lanes) {
        for (int rest = lanes; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            Long made = releases.made((int) w.address[lane]);
            if (made != null && !order.isBefore(code.thread(made), AccessCode.number(made), w.base + lane)) {
                throw checker.fault(Kind.SHARED_RACE, lane, "%s and was made by %s with no barrier between", made);
            }
        }
    }

    /** Lanes use barriers; faults where these have been made invalid. */
    void use(Warp w, int lanes, int site) {
        for (int rest = lanes; rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            int at = (int) w.address[lane];
            if (releases.isInvalid(at)) {
                throw w.block.fault(Kind.BARRIER, site, w, lane,
                        "the barrier at shared byte %d has been made invalid".formatted(at));
            }
            releases.use(at, w.base + lane, checker.last(lane));
        }
    }

    /**
     * A lane makes a barrier invalid; faults unless all uses come before that. That lanes of a warp agree on one of
     * them, which CUDA's own barriers do by {@code match}, is taken for an order.
     */
    void invalidate(Warp w, int lane, int site) {
        int at = (int) w.address[lane];
        for (long use : releases.uses(at)) {
            int number = AccessCode.number(use);
            boolean before = order.isOld(number);
            int first = code.thread(use) & -Layout.LANES;
            for (int other = first; !before && other < first + Layout.LANES && order.isThread(other); other++) {
                before = order.isBefore(other, number, w.base + lane);
            }
            if (!before) {
                throw checker.fault(Kind.SHARED_RACE, lane, "%s and was used by %s with no barrier between", use);
            }
        }
        if (releases.made(at) == null) {
            throw w.block.fault(Kind.BARRIER, site, w, lane, "no barrier is at shared byte %d".formatted(at));
        }
        releases.invalidate(at);
    }
}
