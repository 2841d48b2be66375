package jdiffusion.model.guidance;

/**
 * A Laplacian pyramid of an image's channels (Burt and Adelson, 1983), on the host, as kornia has it: on the way down
 * the 5 x 5 binomial filter with mirrored edges, then halving; on the way up doubling, then the same filter. Both
 * change the size by linear interpolation between the centres of pixels. Other than kornia's, it does not pad to powers
 * of two: odd sides are halved downwards, and brought back to what they were.
 */
final class Pyramid {
    private static final float[] FILTER = {1 / 16f, 4 / 16f, 6 / 16f, 4 / 16f, 1 / 16f};
    /** Mirroring needs as many pixels beyond the edge. */
    private static final int REACH = 2;

    private final int channels;
    private final int[] heights;
    private final int[] widths;
    private final float[] rows;
    private final float[] filtered;

    Pyramid(int levels, int channels, int height, int width) {
        this.channels = channels;
        this.heights = new int[levels];
        this.widths = new int[levels];
        for (int i = 0; i < levels; i++) {
            heights[i] = height >> i;
            widths[i] = width >> i;
        }
        if (Math.min(heights[levels - 1], widths[levels - 1]) <= REACH) {
            throw FrequencyDecoupled.tooSmall(levels, height, width);
        }
        this.rows = new float[height * width];
        this.filtered = new float[height * width];
    }

    /** Room for the levels of one image. */
    float[][] levels() {
        float[][] levels = new float[heights.length][];
        for (int i = 0; i < levels.length; i++) {
            levels[i] = new float[channels * heights[i] * widths[i]];
        }
        return levels;
    }

    /** The first level is the image, and becomes its finest details; the last one becomes what is left. */
    void takeApart(float[][] levels) {
        for (int level = 0; level + 1 < levels.length; level++) {
            for (int c = 0; c < channels; c++) {
                int size = heights[level] * widths[level];
                int smaller = heights[level + 1] * widths[level + 1];
                filter(levels[level], c * size, heights[level], widths[level]);
                resize(filtered, 0, heights[level], widths[level], levels[level + 1], c * smaller, heights[level + 1],
                        widths[level + 1]);
                add(levels, level, c, -1);
            }
        }
    }

    /** The inverse: the first level becomes the image. */
    void putTogether(float[][] levels) {
        for (int level = levels.length - 2; level >= 0; level--) {
            for (int c = 0; c < channels; c++) {
                add(levels, level, c, 1);
            }
        }
    }

    /** Adds the next level, brought up, to one. */
    private void add(float[][] levels, int level, int channel, float factor) {
        int height = heights[level];
        int width = widths[level];
        int smaller = heights[level + 1] * widths[level + 1];
        resize(levels[level + 1], channel * smaller, heights[level + 1], widths[level + 1], filtered, 0, height, width);
        filter(filtered, 0, height, width);
        int at = channel * height * width;
        for (int i = 0; i < height * width; i++) {
            levels[level][at + i] += factor * filtered[i];
        }
    }

    /** Into {@link #filtered}. */
    private void filter(float[] image, int at, int height, int width) {
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                float sum = 0;
                for (int k = -REACH; k <= REACH; k++) {
                    sum += FILTER[k + REACH] * image[at + y * width + mirrored(x + k, width)];
                }
                rows[y * width + x] = sum;
            }
        }
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                float sum = 0;
                for (int k = -REACH; k <= REACH; k++) {
                    sum += FILTER[k + REACH] * rows[mirrored(y + k, height) * width + x];
                }
                filtered[y * width + x] = sum;
            }
        }
    }

    /** Without repeating the edge. */
    static int mirrored(int i, int size) {
        int folded = Math.abs(i);
        return folded < size ? folded : 2 * (size - 1) - folded;
    }

    private static void resize(float[] from, int at, int height, int width, float[] to, int start, int high, int wide) {
        for (int y = 0; y < high; y++) {
            float v = place(y, height, high);
            int top = (int) v;
            int bottom = Math.min(top + 1, height - 1);
            for (int x = 0; x < wide; x++) {
                float h = place(x, width, wide);
                int left = (int) h;
                int right = Math.min(left + 1, width - 1);
                float upper = mixed(from[at + top * width + left], from[at + top * width + right], h - left);
                float lower = mixed(from[at + bottom * width + left], from[at + bottom * width + right], h - left);
                to[start + y * wide + x] = mixed(upper, lower, v - top);
            }
        }
    }

    /** Where the centre of a pixel of the new size lies in the old one. */
    private static float place(int i, int before, int after) {
        return Math.max((i + 0.5f) * before / after - 0.5f, 0);
    }

    private static float mixed(float a, float b, float share) {
        return a * (1 - share) + b * share;
    }
}
