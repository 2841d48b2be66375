package jdiffusion.emulator.exec;

import jdiffusion.emulator.DeviceFault.Kind;

/**
 * How a tensor map of {@code cuTensorMapEncodeIm2col} goes through a batch of images (N, D, H, W, C): pixel after
 * pixel of a box in the images, W first, then H, D and the next image. Positions are those of the box, which may reach outside
 * the images; the pixel that is taken lies at the instruction's offsets from there.
 *
 * @param pixels of a column, which one copy takes
 * @param lower  corner of the box along W, H and D
 * @param upper  corner, from the images' last pixel on
 */
record Im2col(int pixels, int[] lower, int[] upper) {

    /** What an instruction says of the way a map's boxes are taken. */
    static final int TILE = 0;
    /** With an offset for each of W, H and D after the coordinates. */
    static final int OFFSETS = 1;
    static final int NO_OFFSETS = 2;

    /**
     * The coordinates of the pixels of a column, those of channels left out.
     *
     * @param start   coordinates of the first position
     * @param offsets along W, H and D
     * @param steps   distance between positions along each dimension
     */
    long[][] column(Warp w, int lane, int site, int[] start, int[] offsets, long[] dims, int[] steps) {
        int last = dims.length - 1;
        long[] at = new long[dims.length];
        for (int i = 1; i <= last; i++) {
            at[i] = start[i];
            if (i < last && (at[i] < lower[i - 1] || at[i] > end(i, dims))) {
                throw w.block.fault(Kind.OUT_OF_BOUNDS, site, w, lane, ("coordinate %d is %d, outside the map's box of"
                        + " pixels from %d to %d").formatted(i, at[i], lower[i - 1], end(i, dims)));
            }
        }
        long[][] column = new long[pixels][];
        for (int pixel = 0; pixel < pixels; pixel++) {
            column[pixel] = at.clone();
            for (int i = 1; i < last; i++) {
                column[pixel][i] += offsets[i - 1];
            }
            int i = 1;
            for (at[i] += steps[i]; i < last && at[i] > end(i, dims); at[i] += steps[i]) {
                at[i] = lower[i - 1];
                i++;
            }
        }
        return column;
    }

    private long end(int dimension, long[] dims) {
        return dims[dimension] - 1 + upper[dimension - 1];
    }
}
