package jdiffusion.model.image;

/**
 * Planes of numbers at another size, bilinear between the pixels' middles and without smoothing, as torch's
 * {@code interpolate} without aligned corners and antialiasing.
 */
public final class Bilinear {
    private final int width;
    private final int height;
    private final Axis across;
    private final Axis down;

    private Bilinear(int width, int height, Axis across, Axis down) {
        this.width = width;
        this.height = height;
        this.across = across;
        this.down = down;
    }

    /** From one size to another. */
    public static Bilinear resize(int width, int height, int newWidth, int newHeight) {
        return new Bilinear(width, height, new Axis(width, newWidth, 0, newWidth),
                new Axis(height, newHeight, 0, newHeight));
    }

    /** Scaled until it covers the other size, and cut to that around its middle. */
    public static Bilinear cover(int width, int height, int newWidth, int newHeight) {
        double ratio = Math.max((double) newHeight / height, (double) newWidth / width);
        int w = Math.max(newWidth, (int) (width * ratio));
        int h = Math.max(newHeight, (int) (height * ratio));
        return new Bilinear(width, height, new Axis(width, w, (w - newWidth) / 2, newWidth),
                new Axis(height, h, (h - newHeight) / 2, newHeight));
    }

    /** @param values [planes, height, width] */
    public float[] of(float[] values, int planes) {
        int plane = width * height;
        int newWidth = across.near.length;
        int newHeight = down.near.length;
        float[] out = new float[Math.multiplyExact(planes, Math.multiplyExact(newWidth, newHeight))];
        int to = 0;
        for (int p = 0; p < planes; p++) {
            for (int y = 0; y < newHeight; y++) {
                int above = p * plane + down.near[y] * width;
                int below = p * plane + down.far[y] * width;
                float share = down.share[y];
                for (int x = 0; x < newWidth; x++) {
                    out[to++] = (1 - share) * across.between(values, above, x)
                            + share * across.between(values, below, x);
                }
            }
        }
        return out;
    }

    /** Between which pixels those of a line lie. */
    private static final class Axis {
        private final int[] near;
        private final int[] far;
        /** Of the far one. */
        private final float[] share;

        /**
         * @param from  pixels of the line
         * @param to    as many as it is scaled to
         * @param first of those that are kept
         */
        Axis(int from, int to, int first, int count) {
            near = new int[count];
            far = new int[count];
            share = new float[count];
            float scale = (float) from / to;
            for (int i = 0; i < count; i++) {
                float at = Math.max(scale * (first + i + 0.5f) - 0.5f, 0);
                near[i] = Math.min((int) at, from - 1);
                far[i] = Math.min(near[i] + 1, from - 1);
                share[i] = at - near[i];
            }
        }

        float between(float[] values, int line, int i) {
            return (1 - share[i]) * values[line + near[i]] + share[i] * values[line + far[i]];
        }
    }
}
