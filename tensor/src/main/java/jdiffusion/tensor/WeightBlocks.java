package jdiffusion.tensor;

import java.util.List;
import java.util.function.IntPredicate;

/**
 * A stack of equal layers whose weights a {@link Placement} may bring one by one while the layer before computes.
 *
 * @param <T> a layer
 */
public final class WeightBlocks<T> {
    private final List<T> blocks;
    private final Placement placement;
    private final int first;

    /**
     * @param first the placement's number of the first block, or {@link Placement#NO_BLOCK} for all
     */
    WeightBlocks(List<T> blocks, Placement placement, int first) {
        this.blocks = List.copyOf(blocks);
        this.placement = placement;
        this.first = first;
    }

    /** Computes with a block. */
    @FunctionalInterface
    public interface Action<T> {
        void apply(T block, int index);
    }

    public int size() {
        return blocks.size();
    }

    /**
     * Runs the blocks in order.
     *
     * @param skipped blocks to leave out
     * @param again   whether the same is likely to be run again soon, so that the first block is worth bringing
     */
    public void run(IntPredicate skipped, boolean again, Action<T> action) {
        int start = after(-1, skipped);
        for (int i = start; i < blocks.size();) {
            int next = after(i, skipped);
            placement.enter(number(i));
            action.apply(blocks.get(i), i);
            placement.leave(number(i), next < blocks.size() ? number(next) : again ? number(start)
                    : Placement.NO_BLOCK);
            i = next;
        }
    }

    /**
     * Runs some of the blocks; the one after them is likely to be next, after the last one the first.
     *
     * @param from the first of them
     * @param to   after the last of them
     */
    public void run(int from, int to, Action<T> action) {
        for (int i = from; i < to; i++) {
            placement.enter(number(i));
            action.apply(blocks.get(i), i);
            placement.leave(number(i), number((i + 1) % blocks.size()));
        }
    }

    private int after(int i, IntPredicate skipped) {
        int next = i + 1;
        while (next < blocks.size() && skipped.test(next)) {
            next++;
        }
        return next;
    }

    private int number(int i) {
        return first == Placement.NO_BLOCK ? Placement.NO_BLOCK : first + i;
    }
}
