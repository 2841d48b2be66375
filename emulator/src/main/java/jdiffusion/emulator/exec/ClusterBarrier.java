package jdiffusion.emulator.exec;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import jdiffusion.emulator.DeviceFault.Kind;

/**
 * The barrier of a cluster ({@code barrier.cluster}). Threads arrive, and wait later until all threads of the cluster
 * that have not exited have arrived. Who waits has seen what others did until they arrived; where they did so with
 * {@code .relaxed}, until their last fence.
 */
final class ClusterBarrier {

    /** Lanes that wait, and where they go on. */
    private record Waiting(Warp warp, int lanes, int next) {}

    /** What lanes of a warp have done. */
    private static final class Arrivals {
        /** Who has arrived in this phase. */
        int arrived;
        /** Who has arrived in the phase before, and not waited yet. */
        int passed;
        /** Of those that have arrived, who did so relaxed. */
        int relaxed;
        /** Numbers of the last arrivals, where order is checked. */
        final int[] number = new int[Layout.LANES];
    }

    private final Cluster cluster;
    private final Arrivals[][] arrivals;
    private final List<Waiting> waiting = new ArrayList<>();
    /** Where the barrier was last arrived at. */
    private int site;
    /** What the threads of the last phase hand on; null when all of them have seen it. */
    private int[] handed;

    ClusterBarrier(Cluster cluster) {
        this.cluster = cluster;
        this.arrivals = new Arrivals[cluster.size()][];
        for (int rank = 0; rank < arrivals.length; rank++) {
            arrivals[rank] = new Arrivals[cluster.block(rank).warps().length];
        }
    }

    /** A new cluster starts. */
    void reset() {
        waiting.clear();
        handed = null;
        for (Arrivals[] of : arrivals) {
            Arrays.setAll(of, _ -> new Arrivals());
        }
    }

    private Arrivals of(Warp warp) {
        return arrivals[warp.block.rank()][warp.index];
    }

    /** Lanes of {@code mask} arrive; all go on at {@code next}. */
    static int arrive(Warp w, int mask, int relaxed, int aligned, int next, int site) {
        if (mask == 0) {
            return next;
        }
        check(w, mask, aligned, site);
        ClusterBarrier barrier = w.block.cluster().barrier();
        Arrivals own = barrier.of(w);
        int again = (own.arrived | own.passed) & mask;
        if (again != 0) {
            throw w.block.fault(Kind.BARRIER, site, w, Integer.numberOfTrailingZeros(again),
                    "arrives again at the cluster's barrier, and has not waited there since it last did");
        }
        own.arrived |= mask;
        own.relaxed = own.relaxed & ~mask | (relaxed != 0 ? mask : 0);
        int number = w.block.checker() == null ? 0 : w.block.checker().order().next();
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            own.number[Integer.numberOfTrailingZeros(rest)] = number;
        }
        barrier.site = site;
        w.block.happened();
        return next;
    }

    /** Lanes of {@code mask} wait and go on at {@code next}; the others of {@code all} go on now. */
    static int await(Warp w, int mask, int aligned, int next, int all, int site) {
        w.resume(next, all & ~mask);
        if (mask == 0) {
            return Warp.ELSEWHERE;
        }
        check(w, mask, aligned, site);
        ClusterBarrier barrier = w.block.cluster().barrier();
        Arrivals own = barrier.of(w);
        int missing = mask & ~(own.arrived | own.passed);
        if (missing != 0) {
            throw w.block.fault(Kind.BARRIER, site, w, Integer.numberOfTrailingZeros(missing),
                    "waits at the cluster's barrier, and has not arrived there before");
        }
        int over = mask & own.passed;
        own.passed &= ~over;
        barrier.pass(w, over);
        w.resume(next, over);
        if (over != mask) {
            barrier.waiting.add(new Waiting(w, mask & ~over, next));
        }
        return Warp.ELSEWHERE;
    }

    private static void check(Warp w, int mask, int aligned, int site) {
        if (aligned != 0 && w.block.checker() != null && mask != w.live) {
            throw w.block.fault(Kind.DIVERGENT_BARRIER, site, w, Integer.numberOfTrailingZeros(mask),
                    "executed by lanes 0x%x of the warp's 0x%x".formatted(mask, w.live));
        }
    }

    /** Opens when all have arrived; true when it does. */
    boolean release() {
        boolean any = false;
        boolean all = true;
        for (int rank = 0; rank < arrivals.length; rank++) {
            for (Warp warp : cluster.block(rank).warps()) {
                any |= of(warp).arrived != 0;
                all &= (warp.live & ~of(warp).arrived) == 0;
            }
        }
        if (!any || !all) {
            return false;
        }
        if (cluster.order() != null) {
            handOn();
        }
        for (int rank = 0; rank < arrivals.length; rank++) {
            for (Warp warp : cluster.block(rank).warps()) {
                of(warp).passed = of(warp).arrived & warp.live;
                of(warp).arrived = 0;
            }
        }
        Profile profile = cluster.block(0).profile();
        if (profile != null && !waiting.isEmpty()) {
            profile.meet(site, waiting.stream().map(Waiting::warp).distinct().toList());
        }
        for (Waiting one : waiting) {
            of(one.warp()).passed &= ~one.lanes();
            pass(one.warp(), one.lanes());
            one.warp().resume(one.next(), one.lanes());
        }
        boolean opened = !waiting.isEmpty();
        waiting.clear();
        cluster.happened();
        return opened;
    }

    /** Keeps what the threads hand on that have arrived. */
    private void handOn() {
        Order order = cluster.order();
        if (isWhole()) {
            handed = null;
            order.meetAll();
            return;
        }
        int[] all = order.nothing();
        for (int rank = 0; rank < arrivals.length; rank++) {
            for (Warp warp : cluster.block(rank).warps()) {
                Arrivals own = of(warp);
                for (int rest = own.arrived; rest != 0; rest &= rest - 1) {
                    int lane = Integer.numberOfTrailingZeros(rest);
                    boolean relaxed = (own.relaxed >>> lane & 1) != 0;
                    int number = relaxed ? order.fenced(warp.base + lane) : own.number[lane];
                    order.releaseStart(warp.base + lane, all);
                    if (number != 0) {
                        order.release(warp.base + lane, number, all);
                    }
                }
            }
        }
        handed = all;
    }

    /** Whether all threads of all blocks wait, and have done nothing since they arrived, which was not relaxed. */
    private boolean isWhole() {
        int threads = waiting.stream().mapToInt(one -> Integer.bitCount(one.lanes())).sum();
        boolean whole = threads == cluster.size() * cluster.block(0).shape().count();
        for (int rank = 0; rank < arrivals.length && whole; rank++) {
            for (Warp warp : cluster.block(rank).warps()) {
                whole &= of(warp).relaxed == 0 && warp.touched < Arrays.stream(of(warp).number).filter(n -> n > 0).min()
                        .orElse(0);
            }
        }
        return whole;
    }

    private void pass(Warp warp, int lanes) {
        if (handed == null) {
            return;
        }
        for (int rest = lanes; rest != 0; rest &= rest - 1) {
            cluster.order().acquire(warp.base + Integer.numberOfTrailingZeros(rest), handed);
        }
    }
}
