package jdiffusion.cli;

import jdiffusion.model.image.Picture;

/**
 * Finds frames that show the same as the last one that was drawn. They are compared block by block, so that something
 * small that moves counts as much as something large; with the last one drawn and not with the one before, so that what
 * changes slowly is not missed.
 */
final class SimilarFrames {
    private static final int BLOCK = 32;

    private final double tolerance;
    private Picture drawn;

    /** @param tolerance the mean difference of a block's values, 0 to 255, that does not count */
    SimilarFrames(double tolerance) {
        this.tolerance = tolerance;
    }

    /** Whether a frame of the same size as all others need not be drawn; if not, it will be compared with the next. */
    boolean skips(Picture frame) {
        if (drawn != null && largest(drawn, frame) <= tolerance) {
            return true;
        }
        drawn = frame;
        return false;
    }

    /** The mean absolute difference of values in the block where it is largest. */
    private static double largest(Picture a, Picture b) {
        double largest = 0;
        for (int top = 0; top < a.height(); top += BLOCK) {
            for (int left = 0; left < a.width(); left += BLOCK) {
                largest = Math.max(largest, block(a, b, left, top));
            }
        }
        return largest;
    }

    private static double block(Picture a, Picture b, int left, int top) {
        int right = Math.min(a.width(), left + BLOCK);
        int bottom = Math.min(a.height(), top + BLOCK);
        long sum = 0;
        for (int y = top; y < bottom; y++) {
            for (int i = 3 * (y * a.width() + left); i < 3 * (y * a.width() + right); i++) {
                sum += Math.abs((a.rgb()[i] & 0xff) - (b.rgb()[i] & 0xff));
            }
        }
        return (double) sum / (3L * (right - left) * (bottom - top));
    }
}
