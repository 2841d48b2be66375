package jdiffusion.model.pixart;

import jdiffusion.model.family.PixelSize;

/**
 * The sizes on which PixArt was trained, by their shape. They are the same for models of all sizes but for a factor;
 * those of 2048 pixels know some more (the tables of diffusers' two PixArt pipelines).
 */
final class AspectBins {
    /** Height by width as the tables have it, rounded; then height and width in sixteenths of the model's own side. */
    private static final double[][] BINS = {
        {0.25, 8, 32}, {0.28, 8, 29}, {0.32, 9, 28}, {0.33, 9, 27}, {0.35, 9, 26}, {0.4, 10, 25},
        {0.42, 10, 24}, {0.48, 11, 23}, {0.5, 11, 22}, {0.52, 11, 21}, {0.57, 12, 21}, {0.6, 12, 20}, {0.68, 13, 19},
        {0.72, 13, 18}, {0.78, 14, 18}, {0.82, 14, 17}, {0.88, 15, 17}, {0.94, 15, 16}, {1.0, 16, 16},
        {1.07, 16, 15}, {1.13, 17, 15}, {1.21, 17, 14}, {1.29, 18, 14}, {1.38, 18, 13}, {1.46, 19, 13},
        {1.67, 20, 12}, {1.75, 21, 12}, {2.0, 22, 11}, {2.09, 23, 11}, {2.4, 24, 10}, {2.5, 25, 10}, {3.0, 27, 9},
        {4.0, 32, 8}};
    /** More of them for models of 2048 pixels. */
    private static final double[][] MORE = {{0.26, 8, 31}, {0.27, 8, 30}, {2.89, 26, 9}, {3.11, 28, 9}, {3.62, 29, 8},
        {3.75, 30, 8}, {3.88, 31, 8}};
    private static final int PARTS = 16;
    private static final int FACTOR = 8;
    private static final int SMALLEST_SIDE = 32;
    private static final int LARGEST_SIDE = 256;

    private AspectBins() {
    }

    /** Whether sizes are known for models that were trained on latents of that side. */
    static boolean isKnown(int sampleSize) {
        return sampleSize >= SMALLEST_SIDE && sampleSize <= LARGEST_SIDE && Integer.bitCount(sampleSize) == 1;
    }

    /** The size whose shape is nearest; the wider one of two. */
    static PixelSize nearest(int sampleSize, int width, int height) {
        double ratio = (double) height / width;
        double[] best = nearest(BINS, ratio);
        double[] other = nearest(MORE, ratio);
        double nearer = Math.abs(best[0] - ratio) - Math.abs(other[0] - ratio);
        if (sampleSize == LARGEST_SIDE && (nearer > 0 || nearer == 0 && other[0] < best[0])) {
            best = other;
        }
        int part = sampleSize * FACTOR / PARTS;
        return new PixelSize((int) best[2] * part, (int) best[1] * part);
    }

    private static double[] nearest(double[][] bins, double ratio) {
        double[] best = bins[0];
        for (double[] bin : bins) {
            best = Math.abs(bin[0] - ratio) < Math.abs(best[0] - ratio) ? bin : best;
        }
        return best;
    }
}
