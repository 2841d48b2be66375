package jdiffusion.model.sites;

import java.util.List;

/**
 * The part of a tensor that is meant, as rows of its matrix and ranges of columns.
 *
 * @param columns of the whole matrix
 * @param rows    in rising order
 * @param ranges  [first, end) of columns, in rising order
 */
record Selection(int columns, int[] rows, List<int[]> ranges) {
    /** Takes a run of neighbouring elements. */
    @FunctionalInterface
    interface Run {
        void apply(int from, int to);
    }

    /** @param at where the matrix begins */
    void forEach(int at, Run run) {
        for (int row : rows) {
            for (int[] range : ranges) {
                run.apply(at + row * columns + range[0], at + row * columns + range[1]);
            }
        }
    }
}
