package jdiffusion.kernels.machine;

import java.util.Arrays;

/**
 * AMX's tiles with palette 1, by the operations in Intel's manual, volume 2 (LDTILECFG, TILELOADD, TILESTORED,
 * TILEZERO, TILERELEASE, TDPBF16PS); what is there an exception is a {@link MachineFault}.
 */
final class InterpretedTiles {
    private static final int TILES = 8;
    private static final int MOST_ROWS = 16;
    private static final int MOST_BYTES = 64;
    private static final int CONFIG_BYTES = 64;
    private static final int LINE = 64;

    private final int[][][] tiles = new int[TILES][MOST_ROWS][MOST_BYTES / 4];
    private final int[] rows = new int[TILES];
    private final int[] bytes = new int[TILES];
    private final float[][] lowB = new float[MOST_ROWS][MOST_BYTES / 4];
    private final float[][] highB = new float[MOST_ROWS][MOST_BYTES / 4];
    private final float[] low = new float[MOST_BYTES / 4];
    private final float[] high = new float[MOST_BYTES / 4];
    private final TileCount count;
    private boolean configured;
    private long flops;

    /** Multiplications and additions of all products so far. */
    long flops() {
        return flops;
    }

    /** @param count null for tiles whose rows may lie across cache lines */
    InterpretedTiles(TileCount count) {
        this.count = count;
    }

    /** Whether tiles are in use: so after LDTILECFG, until TILERELEASE. */
    boolean configured() {
        return configured;
    }

    void configure(InterpretedMemory memory, long address) {
        int[] words = new int[CONFIG_BYTES / 4];
        memory.read(address, words, words.length);
        int[] config = new int[CONFIG_BYTES];
        for (int i = 0; i < CONFIG_BYTES; i++) {
            config[i] = words[i / 4] >>> i % 4 * 8 & 0xff;
        }
        release();
        if (config[0] == 0) {
            return;
        }
        require(config[0] == 1, "#GP: palette " + config[0]);
        for (int i = 2; i < 16; i++) {
            require(config[i] == 0, "#GP: reserved byte " + i + " of the tiles' shapes is " + config[i]);
        }
        for (int t = 0; t < 16; t++) {
            int tileBytes = config[16 + 2 * t] | config[17 + 2 * t] << 8;
            int tileRows = config[48 + t];
            require(t < TILES || (tileBytes == 0 && tileRows == 0), "#GP: there is no tile " + t);
            require(tileBytes <= MOST_BYTES && tileRows <= MOST_ROWS && (tileBytes == 0) == (tileRows == 0),
                    "#GP: tile " + t + " of " + tileRows + " rows of " + tileBytes + " bytes");
            if (t < TILES) {
                rows[t] = tileRows;
                bytes[t] = tileBytes;
            }
        }
        require(config[1] == 0, "a start row is not known here");
        configured = true;
    }

    void release() {
        configured = false;
        for (int t = 0; t < TILES; t++) {
            rows[t] = 0;
            bytes[t] = 0;
            clear(t, 0);
        }
    }

    void zero(int tile) {
        requireShape(tile);
        clear(tile, 0);
    }

    void load(InterpretedMemory memory, int tile, long address, long stride) {
        requireShape(tile);
        if (count != null) {
            requireLines(tile, address, stride);
            count.load();
        }
        for (int r = 0; r < rows[tile]; r++) {
            int[] row = tiles[tile][r];
            Arrays.fill(row, 0);
            memory.read(address + r * stride, row, bytes[tile] / 4);
        }
        clear(tile, rows[tile]);
    }

    void store(InterpretedMemory memory, int tile, long address, long stride) {
        requireShape(tile);
        if (count != null) {
            requireLines(tile, address, stride);
            count.store();
        }
        for (int r = 0; r < rows[tile]; r++) {
            memory.write(address + r * stride, tiles[tile][r], bytes[tile] / 4);
        }
    }

    void dotBf16(int sum, int a, int b) {
        require(sum != a && sum != b && a != b, "#UD: tiles " + sum + ", " + a + " and " + b + " are not three");
        requireShape(sum);
        requireShape(a);
        requireShape(b);
        require(rows[sum] == rows[a] && bytes[sum] == bytes[b] && bytes[a] / 4 == rows[b],
                "#UD: shapes of tiles " + sum + ", " + a + " and " + b + " do not fit");
        if (count != null) {
            count.product();
        }
        int n = bytes[sum] / 4;
        for (int k = 0; k < rows[b]; k++) {
            for (int j = 0; j < n; j++) {
                lowB[k][j] = Bf16.low(tiles[b][k][j]);
                highB[k][j] = Bf16.high(tiles[b][k][j]);
            }
        }
        for (int m = 0; m < rows[sum]; m++) {
            Arrays.fill(low, 0f);
            Arrays.fill(high, 0f);
            for (int k = 0; k < rows[b]; k++) {
                chains(Bf16.low(tiles[a][m][k]), lowB[k], low, n);
                chains(Bf16.high(tiles[a][m][k]), highB[k], high, n);
            }
            int[] to = tiles[sum][m];
            for (int j = 0; j < n; j++) {
                float both = Bf16.flushed(low[j] + high[j]);
                float old = Bf16.flushed(Float.intBitsToFloat(to[j]));
                to[j] = Float.floatToRawIntBits(Bf16.flushed(old + both));
            }
        }
        clear(sum, rows[sum]);
        flops += 2L * rows[sum] * n * 2 * rows[b];
    }

    private static void chains(float a, float[] b, float[] sums, int n) {
        for (int j = 0; j < n; j++) {
            sums[j] = Bf16.flushed(Math.fma(a, b[j], sums[j]));
        }
    }

    private void clear(int tile, int fromRow) {
        for (int r = fromRow; r < MOST_ROWS; r++) {
            Arrays.fill(tiles[tile][r], 0);
        }
    }

    private void requireShape(int tile) {
        require(configured, "#UD: no tile has a shape");
        require(rows[tile] > 0, "#UD: tile " + tile + " has no shape");
        require(bytes[tile] % 4 == 0, "#UD: rows of tile " + tile + " have " + bytes[tile] + " bytes");
    }

    /** The CPU would only be slow. */
    private void requireLines(int tile, long address, long stride) {
        for (int r = 0; r < rows[tile]; r++) {
            int inLine = (int) ((address + r * stride) % LINE);
            require(inLine + bytes[tile] <= LINE, "row " + r + " of tile " + tile + " begins " + inLine
                    + " bytes behind a cache line");
        }
    }

    private static void require(boolean holds, String otherwise) {
        if (!holds) {
            throw new MachineFault(otherwise);
        }
    }
}
