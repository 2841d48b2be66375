package jdiffusion.emulator.exec;

import jdiffusion.emulator.DeviceFault.Kind;

/** Exchanges between the lanes of a warp. Arguments are slots unless said otherwise. */
final class Shuffles {
    static final int IDX = 0;
    static final int UP = 1;
    static final int DOWN = 2;
    static final int BFLY = 3;

    private Shuffles() {}

    private static void check(Warp w, int mask, int site, int members) {
        if (w.block.checker() != null) {
            Barriers.checkMembers(w, mask, members, site);
        }
    }

    /** A lane whose source is out of range keeps its own value, and its predicate is false; {@code p} may be -1. */
    static void shfl(Warp w, int mask, int site, int mode, int d, int p, int a, int b, int c, int members) {
        check(w, mask, site, members);
        int[] values = new int[Layout.LANES];
        System.arraycopy(w.r, a, values, 0, Layout.LANES);
        int valid = 0;
        for (int l = 0; l < Layout.LANES; l++) {
            if ((mask >>> l & 1) == 0) {
                continue;
            }
            int by = w.r[b + l] & 31;
            int clamp = w.r[c + l] & 31;
            int segment = w.r[c + l] >>> 8 & 31;
            int least = l & segment;
            int most = least | clamp & ~segment;
            int from = switch (mode) {
                case IDX -> least | by & ~segment;
                case UP -> l - by;
                case DOWN -> l + by;
                default -> l ^ by;
            };
            boolean inside = mode == UP ? from >= most : from <= most;
            valid |= inside ? 1 << l : 0;
            if (inside && w.block.checker() != null && (mask & w.r[members + l] & 1 << from) == 0) {
                throw w.block.fault(Kind.DIVERGENT_BARRIER, site, w, l,
                        "takes the value of lane %d, which does not take part".formatted(from));
            }
            w.r[d + l] = values[inside ? from : l];
        }
        w.setPredicate(p, valid, mask);
    }

    /** Lanes of {@code mask} and {@code members} whose predicate {@code p}, negated or not, holds. */
    static int ballot(Warp w, int mask, int p, int negated, int members) {
        int bits = negated != 0 ? ~w.p[p] : w.p[p];
        return bits & mask & w.members(members, mask);
    }

    static void voteBallot(Warp w, int mask, int site, int d, int p, int negated, int members) {
        check(w, mask, site, members);
        set(w, mask, d, ballot(w, mask, p, negated, members));
    }

    static void voteAny(Warp w, int mask, int site, int d, int p, int negated, int members) {
        check(w, mask, site, members);
        w.setPredicate(d, ballot(w, mask, p, negated, members) != 0 ? -1 : 0, mask);
    }

    static void voteAll(Warp w, int mask, int site, int d, int p, int negated, int members) {
        check(w, mask, site, members);
        boolean all = ballot(w, mask, p, negated, members) == (mask & w.members(members, mask));
        w.setPredicate(d, all ? -1 : 0, mask);
    }

    static void voteUni(Warp w, int mask, int site, int d, int p, int negated, int members) {
        check(w, mask, site, members);
        int bits = ballot(w, mask, p, negated, members);
        w.setPredicate(d, bits == 0 || bits == (mask & w.members(members, mask)) ? -1 : 0, mask);
    }

    static void activeMask(Warp w, int mask, int d) {
        set(w, mask, d, mask);
    }

    /** Each lane gets the mask of the lanes that hold the same value. */
    static void matchAny(Warp w, int mask, int site, int d, int a, int members) {
        check(w, mask, site, members);
        int[] same = new int[Layout.LANES];
        for (int l = 0; l < Layout.LANES; l++) {
            for (int k = 0; k < Layout.LANES; k++) {
                same[l] |= (mask >>> k & 1) != 0 && w.r[a + k] == w.r[a + l] ? 1 << k : 0;
            }
        }
        for (int l = 0; l < Layout.LANES; l++) {
            if ((mask >>> l & 1) != 0) {
                w.r[d + l] = same[l] & w.members(members, mask);
            }
        }
    }

    /** {@code elect.sync}: the first of the members is the one; each lane gets its number. */
    static void elect(Warp w, int mask, int site, int d, int p, int members) {
        check(w, mask, site, members);
        int first = Integer.numberOfTrailingZeros(mask & w.members(members, mask));
        set(w, mask, d, first);
        w.setPredicate(p, 1 << first, mask);
    }

    /** {@code redux.sync}: each lane gets what all members' values give together. */
    static void redux(Warp w, int mask, int site, int operation, int d, int a, int members) {
        check(w, mask, site, members);
        int who = mask & w.members(members, mask);
        int value = w.r[a + Integer.numberOfTrailingZeros(who)];
        for (int rest = who & who - 1; rest != 0; rest &= rest - 1) {
            value = Atomics.apply(operation, value, w.r[a + Integer.numberOfTrailingZeros(rest)], 0);
        }
        set(w, who, d, value);
    }

    private static void set(Warp w, int mask, int d, int value) {
        for (int l = 0; l < Layout.LANES; l++) {
            if ((mask >>> l & 1) != 0) {
                w.r[d + l] = value;
            }
        }
    }
}
