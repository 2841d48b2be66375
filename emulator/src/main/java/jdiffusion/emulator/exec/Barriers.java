package jdiffusion.emulator.exec;

import jdiffusion.emulator.DeviceFault.Kind;

/**
 * Barriers of a block ({@code bar}, {@code barrier}) and of lanes ({@code bar.warp.sync}). Barrier and count are in
 * slots; a slot of -1 for the count means the whole block.
 */
final class Barriers {
    private Barriers() {}

    /** Lanes of {@code arrived} wait at a barrier and go on at {@code next}; the others of {@code all} go on now. */
    static int barrier(Warp w, int arrived, int id, int count, int next, int all, int site) {
        check(w, arrived, site);
        if (arrived != 0) {
            int lane = Integer.numberOfTrailingZeros(arrived);
            w.block.barriers().wait(w, arrived, w.r[id + lane], count < 0 ? 0 : w.r[count + lane], next, site);
        }
        w.resume(next, all & ~arrived);
        return Warp.ELSEWHERE;
    }

    /** Lanes of {@code arrived} arrive at a barrier; all go on at {@code next}. */
    static int arrive(Warp w, int arrived, int id, int count, int next, int site) {
        check(w, arrived, site);
        if (arrived != 0) {
            int lane = Integer.numberOfTrailingZeros(arrived);
            w.block.barriers().arrive(w, arrived, w.r[id + lane], w.r[count + lane], site);
        }
        return next;
    }

    /** As {@link #barrier} for {@code bar.red}: each lane gets what all lanes' predicates give together. */
    static int barrierReduction(Warp w, int arrived, int id, int count, int operation, int d, int p, int negated,
            int next, int all, int site) {
        int bits = negated != 0 ? ~w.p[p] : w.p[p];
        if (arrived != 0) {
            int barrier = w.r[id + Integer.numberOfTrailingZeros(arrived)];
            w.block.barriers().reduce(w, arrived, barrier, operation, d, bits & arrived);
        }
        return barrier(w, arrived, id, count, next, all, site);
    }

    private static void check(Warp w, int arrived, int site) {
        if (w.block.checker() != null && arrived != 0 && arrived != w.live) {
            throw w.block.fault(Kind.DIVERGENT_BARRIER, site, w, Integer.numberOfTrailingZeros(arrived),
                    "executed by lanes 0x%x of the warp's 0x%x".formatted(arrived, w.live));
        }
    }

    /**
     * The lanes of {@code mask} execute an instruction together with those that their masks in a slot name; checks that
     * these are all there.
     */
    static void checkMembers(Warp w, int mask, int slot, int site) {
        for (int rest = mask; rest != 0;) {
            int lane = Integer.numberOfTrailingZeros(rest);
            int members = w.r[slot + lane];
            int same = 0;
            for (int l = lane; l < Layout.LANES; l++) {
                same |= (rest >>> l & 1) != 0 && w.r[slot + l] == members ? 1 << l : 0;
            }
            rest &= ~same;
            if (same != (members & w.live)) {
                int wrong = same & ~members;
                throw w.block.fault(Kind.DIVERGENT_BARRIER, site, w,
                        Integer.numberOfTrailingZeros(wrong != 0 ? wrong : same),
                        "executed by lanes 0x%x with the mask 0x%x".formatted(same, members));
            }
        }
    }

    /** A {@code bar.warp.sync} of the lanes of {@code mask}, each with its members in a slot. */
    static void meet(Warp w, int mask, int slot, int site) {
        if (w.block.checker() == null) {
            return;
        }
        checkMembers(w, mask, slot, site);
        for (int rest = mask; rest != 0;) {
            int members = w.members(slot, rest) & mask;
            w.block.checker().order().meet(w.base, members);
            rest &= ~members;
        }
    }
}
