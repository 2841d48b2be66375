package jdiffusion.model.vae;

/**
 * An image cut into tiles that overlap, to go through the autoencoder one by one: what it needs for the whole image at
 * once grows with the image. All tiles of an axis are equally long, spread evenly. Where two overlap, the one fades
 * into the other linearly, so that the weights of all tiles at a pixel sum to 1. A tile does not see what lies beyond
 * it, and its norms and attention are its own, so the result differs a little from that of the whole image.
 *
 * <p>Sizes here are in latent pixels; {@code scale} is the number of an array's pixels for each, each way.
 */
public final class Tiles {
    /** The part of a tile that at least overlaps the next one. */
    private static final int OVERLAP_PARTS = 4;

    private final Axis rows;
    private final Axis columns;

    /**
     * One axis.
     *
     * @param size   of the image
     * @param tile   of a tile
     * @param starts of the tiles
     */
    private record Axis(int size, int tile, int[] starts) {
        static Axis of(int size, int longest) {
            int tile = Math.min(size, longest);
            int step = tile - tile / OVERLAP_PARTS;
            int count = 1 + Math.ceilDiv(size - tile, step);
            int[] starts = new int[count];
            for (int i = 1; i < count; i++) {
                starts[i] = (int) ((long) i * (size - tile) / (count - 1));
            }
            return new Axis(size, tile, starts);
        }

        /** Weights of tile {@code i} at each of its pixels, which fall to 0 where its neighbours begin. */
        float[] weights(int i, int scale) {
            float[] weights = new float[tile * scale];
            int before = i == 0 ? 0 : (starts[i - 1] + tile - starts[i]) * scale;
            int after = i == starts.length - 1 ? 0 : (starts[i] + tile - starts[i + 1]) * scale;
            for (int p = 0; p < weights.length; p++) {
                float in = p < before ? (p + 0.5f) / before : 1;
                int left = weights.length - 1 - p;
                weights[p] = left < after ? Math.min(in, (left + 0.5f) / after) : in;
            }
            return weights;
        }
    }

    private Tiles(Axis rows, Axis columns) {
        this.rows = rows;
        this.columns = columns;
    }

    /**
     * @param height  of the image
     * @param width   of the image
     * @param longest side that a tile may have, at least 2
     */
    public static Tiles of(int height, int width, int longest) {
        return new Tiles(Axis.of(height, longest), Axis.of(width, longest));
    }

    /** One tile that is the whole image. */
    public static Tiles whole(int height, int width) {
        return of(height, width, Math.max(height, width));
    }

    public int count() {
        return rows.starts.length * columns.starts.length;
    }

    /** Height of every tile. */
    public int height() {
        return rows.tile;
    }

    /** Width of every tile. */
    public int width() {
        return columns.tile;
    }

    /**
     * A tile's part of an image.
     *
     * @param from  at which value the image begins, of [channels, scale * height, scale * width]
     */
    public float[] cut(int tile, float[] image, int from, int channels, int scale) {
        int tileWidth = columns.tile * scale;
        float[] out = new float[channels * rows.tile * scale * tileWidth];
        for (int row = 0; row < channels * rows.tile * scale; row++) {
            System.arraycopy(image, from + at(tile, row, scale), out, row * tileWidth, tileWidth);
        }
        return out;
    }

    /** Adds what the tile became to the image, weighted. The parameters are those of {@link #cut}. */
    public void add(int tile, float[] values, float[] image, int from, int channels, int scale) {
        float[] down = rows.weights(tile / columns.starts.length, scale);
        float[] across = columns.weights(tile % columns.starts.length, scale);
        for (int row = 0; row < channels * down.length; row++) {
            int to = from + at(tile, row, scale);
            float weight = down[row % down.length];
            for (int x = 0; x < across.length; x++) {
                image[to + x] += weight * across[x] * values[row * across.length + x];
            }
        }
    }

    /** Where a row of a tile, counted over all channels, begins in the image. */
    private int at(int tile, int row, int scale) {
        int tileHeight = rows.tile * scale;
        int y = rows.starts[tile / columns.starts.length] * scale + row % tileHeight;
        int x = columns.starts[tile % columns.starts.length] * scale;
        return (row / tileHeight * rows.size * scale + y) * columns.size * scale + x;
    }
}
