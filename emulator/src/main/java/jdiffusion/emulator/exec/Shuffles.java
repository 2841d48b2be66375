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

    /**
     * Those among some lanes that execute an instruction together with the first of them, as its mask in a slot says:
     * lanes that come by at the same time may name different groups.
     */
    private static int group(Warp w, int lanes, int members) {
        return lanes & w.members(members, lanes) | lanes & -lanes;
    }

    /** Gives each group of lanes a predicate, by those of the group for which predicate {@code p} holds. */
    private static void vote(Warp w, int mask, int site, int d, int p, int negated, int members, Vote vote) {
        check(w, mask, site, members);
        int bits = negated != 0 ? ~w.p[p] : w.p[p];
        for (int rest = mask; rest != 0;) {
            int group = group(w, rest, members);
            w.setPredicate(d, vote.holds(bits & group, group) ? -1 : 0, group);
            rest &= ~group;
        }
    }

    /** What lanes decide together. */
    private interface Vote {
        boolean holds(int bits, int group);
    }

    static void voteBallot(Warp w, int mask, int site, int d, int p, int negated, int members) {
        check(w, mask, site, members);
        int bits = negated != 0 ? ~w.p[p] : w.p[p];
        for (int rest = mask; rest != 0;) {
            int group = group(w, rest, members);
            rest &= ~group;
            set(w, group, d, bits & group);
        }
    }

    static void voteAny(Warp w, int mask, int site, int d, int p, int negated, int members) {
        vote(w, mask, site, d, p, negated, members, (bits, _) -> bits != 0);
    }

    static void voteAll(Warp w, int mask, int site, int d, int p, int negated, int members) {
        vote(w, mask, site, d, p, negated, members, (bits, group) -> bits == group);
    }

    static void voteUni(Warp w, int mask, int site, int d, int p, int negated, int members) {
        vote(w, mask, site, d, p, negated, members, (bits, group) -> bits == 0 || bits == group);
    }

    static void activeMask(Warp w, int mask, int d) {
        set(w, mask, d, mask);
    }

    /** Lanes of a group that hold the same value as one of them, in a slot of 32 or (wide) of 64 bits. */
    private static int alike(Warp w, int group, int lane, int a, int wide) {
        int alike = 0;
        for (int rest = group; rest != 0; rest &= rest - 1) {
            int l = Integer.numberOfTrailingZeros(rest);
            boolean same = wide != 0 ? w.q[a + l] == w.q[a + lane] : w.r[a + l] == w.r[a + lane];
            alike |= same ? 1 << l : 0;
        }
        return alike;
    }

    /** Each lane gets the mask of the lanes that hold the same value. */
    static void matchAny(Warp w, int mask, int site, int d, int a, int wide, int members) {
        check(w, mask, site, members);
        int[] same = new int[Layout.LANES];
        for (int rest = mask; rest != 0;) {
            int group = group(w, rest, members);
            for (int left = group; left != 0; left &= left - 1) {
                int lane = Integer.numberOfTrailingZeros(left);
                same[lane] = alike(w, group, lane, a, wide);
            }
            rest &= ~group;
        }
        for (int l = 0; l < Layout.LANES; l++) {
            if ((mask >>> l & 1) != 0) {
                w.r[d + l] = same[l];
            }
        }
    }

    /** Each lane gets the mask of its group where all hold the same value, else 0; {@code p} tells which, or is -1. */
    static void matchAll(Warp w, int mask, int site, int d, int p, int a, int wide, int members) {
        check(w, mask, site, members);
        for (int rest = mask; rest != 0;) {
            int group = group(w, rest, members);
            boolean all = alike(w, group, Integer.numberOfTrailingZeros(group), a, wide) == group;
            rest &= ~group;
            set(w, group, d, all ? group : 0);
            w.setPredicate(p, all ? -1 : 0, group);
        }
    }

    /** {@code elect.sync}: the first of the members is the one; each lane gets its number. */
    static void elect(Warp w, int mask, int site, int d, int p, int members) {
        check(w, mask, site, members);
        for (int rest = mask; rest != 0;) {
            int group = group(w, rest, members);
            int first = Integer.numberOfTrailingZeros(group);
            rest &= ~group;
            set(w, group, d, first);
            w.setPredicate(p, 1 << first, group);
        }
    }

    /** {@code redux.sync}: each lane gets what all members' values give together. */
    static void redux(Warp w, int mask, int site, int operation, int d, int a, int members) {
        check(w, mask, site, members);
        for (int rest = mask; rest != 0;) {
            int group = group(w, rest, members);
            int value = w.r[a + Integer.numberOfTrailingZeros(group)];
            for (int left = group & group - 1; left != 0; left &= left - 1) {
                value = Atomics.apply(operation, value, w.r[a + Integer.numberOfTrailingZeros(left)], 0);
            }
            rest &= ~group;
            set(w, group, d, value);
        }
    }

    private static void set(Warp w, int mask, int d, int value) {
        for (int l = 0; l < Layout.LANES; l++) {
            if ((mask >>> l & 1) != 0) {
                w.r[d + l] = value;
            }
        }
    }
}
