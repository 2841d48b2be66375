package jdiffusion.kernels.linear;

import java.util.function.ToIntFunction;

/** The tiles of out that the kernels of matrix products are compiled for. */
public enum GemmTile {
    /** BroadTile of {@code tiles.cuh}: 8 warps. */
    BROAD("broad", 128, 256, 256, 96 << 10),
    /** LargeTile of {@code tiles.cuh}: 8 warps. */
    LARGE("large", 128, 128, 256),
    /** WideTile of {@code linear_nf4.cuh}: 4 warps, as all that follow. */
    FOUR_BIT_WIDE("wide", 128, 64, 128),
    /** WideTile of {@code linear_blocks.cuh}. */
    BLOCKS_WIDE("wide", 96, 64, 128),
    /** BroadWarpgroupTile of {@code linear_sm90.cuh}: three warpgroups. */
    WARPGROUP_BROAD("sm90_broad", 128, 256, 384, 4 * (128 + 256) * 128 + (32 << 10) + 2 * 4 * 8),
    /** LargeWarpgroupTile likewise. */
    WARPGROUP_LARGE("sm90_large", 128, 128, 384, 6 * (128 + 128) * 128 + (32 << 10) + 2 * 6 * 8),
    /** BroadWarpgroupPair: what two blocks of a cluster make of {@link #WARPGROUP_BROAD}, one above the other. */
    WARPGROUP_PAIR_BROAD("sm90_pair_broad", 256, 256, 384, WARPGROUP_BROAD.sharedBytes, 2),
    /** LargeWarpgroupPair likewise. */
    WARPGROUP_PAIR_LARGE("sm90_pair_large", 256, 128, 384, WARPGROUP_LARGE.sharedBytes, 2),
    /** SmallTile and NarrowTile. */
    SMALL("small", 64, 64, 128);

    /** Blocks of a larger tile that a launch must have to be worth it: about what fills a card of the middle class. */
    private static final int LEAST_BLOCKS = 96;
    /**
     * Blocks of the large tile, two of which share a multiprocessor, that take as long as one of the broad tile with
     * the same sums as two of them: by shared memory 1.38, by the L2 cache 1.5; the rest is for its last sums and its
     * way to memory, which nothing hides when a block has a multiprocessor for itself. An estimate.
     */
    private static final double LARGE_PER_BROAD = 1.6;
    /**
     * Blocks of warpgroups' large tile that take as long as one of their broad tile: twice the products would be 2, but
     * shared memory has 160 cycles to do where the tensor cores have 128. An estimate.
     */
    private static final double LARGE_PER_BROAD_OF_WARPGROUPS = 1.6;

    private final String label;
    private final int rows;
    private final int cols;
    private final int threads;
    private final int sharedBytes;
    private final int blocksTogether;

    GemmTile(String label, int rows, int cols, int threads) {
        this(label, rows, cols, threads, 0);
    }

    GemmTile(String label, int rows, int cols, int threads, int sharedBytes) {
        this(label, rows, cols, threads, sharedBytes, 1);
    }

    GemmTile(String label, int rows, int cols, int threads, int sharedBytes, int blocksTogether) {
        this.label = label;
        this.rows = rows;
        this.cols = cols;
        this.threads = threads;
        this.sharedBytes = sharedBytes;
        this.blocksTogether = blocksTogether;
    }

    /** Its name in the names of kernels. */
    public String label() {
        return label;
    }

    /** Of out. */
    int rows() {
        return rows;
    }

    /** Of out. */
    int cols() {
        return cols;
    }

    /** Threads of a block. */
    public int threads() {
        return threads;
    }

    /**
     * Of dynamic shared memory for each block: what every card of compute capability 8.0 or more can give it, or every
     * card of 9.0 for a warpgroups' tile.
     */
    public int sharedBytes() {
        return sharedBytes;
    }

    /** Blocks of a cluster, which make it together; 1 for the others. */
    int blocksTogether() {
        return blocksTogether;
    }

    /** Blocks, or clusters of them, that make an out of [m, n]. */
    public int blocks(int m, int n) {
        return Math.multiplyExact(Math.ceilDiv(m, rows), Math.ceilDiv(n, cols));
    }

    /** This tile or a smaller one for an out of [m, n]; see {@link #orSmaller(ToIntFunction, int)}. */
    public GemmTile orSmaller(int m, int n, int multiprocessors) {
        return orSmaller(tile -> tile.blocks(m, n), multiprocessors);
    }

    /**
     * This tile or a smaller one, for outs that take so many blocks of each: larger ones read each operand less often,
     * but must fill the card, and not with the zeros beyond few rows or columns. All give the same bits.
     */
    GemmTile orSmaller(ToIntFunction<GemmTile> blocks, int multiprocessors) {
        if (this == BROAD) {
            GemmTile tile = LARGE.orSmaller(blocks, multiprocessors);
            return tile == LARGE && isQuicker(blocks, multiprocessors) ? BROAD : tile;
        }
        int own = blocks.applyAsInt(this);
        int small = blocks.applyAsInt(SMALL);
        boolean filled = (long) small * SMALL.rows * SMALL.cols * 2 > (long) own * rows * cols;
        return own >= LEAST_BLOCKS && small > own && filled ? this : SMALL;
    }

    /** The tile of warpgroups with which the busiest multiprocessor ends sooner, for outs that take so many of each. */
    static GemmTile ofWarpgroups(ToIntFunction<GemmTile> blocks, int multiprocessors) {
        int broad = Math.ceilDiv(blocks.applyAsInt(WARPGROUP_BROAD), multiprocessors);
        int large = Math.ceilDiv(blocks.applyAsInt(WARPGROUP_LARGE), multiprocessors);
        return LARGE_PER_BROAD_OF_WARPGROUPS * broad <= large ? WARPGROUP_BROAD : WARPGROUP_LARGE;
    }

    /**
     * This tile of warpgroups or that of pairs of blocks, which takes a third or a quarter fewer bytes from the L2
     * cache: where an out has rows for both blocks of a pair, and the busiest multiprocessor has no more to make. The
     * lower block of a pair may lie below the last row. All give the same bits.
     *
     * @param mostRows of an out
     */
    GemmTile orPair(ToIntFunction<GemmTile> blocks, int mostRows, int multiprocessors) {
        GemmTile pair = this == WARPGROUP_BROAD ? WARPGROUP_PAIR_BROAD : WARPGROUP_PAIR_LARGE;
        int pairs = multiprocessors / 2;
        return mostRows > rows && pairs > 0 && Math.ceilDiv(blocks.applyAsInt(pair), pairs)
                <= Math.ceilDiv(blocks.applyAsInt(this), multiprocessors) ? pair : this;
    }

    /** Whether the busiest multiprocessor ends sooner with blocks of the broad tile than of the large one. */
    private static boolean isQuicker(ToIntFunction<GemmTile> blocks, int multiprocessors) {
        return LARGE_PER_BROAD * Math.ceilDiv(blocks.applyAsInt(BROAD), multiprocessors)
                < Math.ceilDiv(blocks.applyAsInt(LARGE), multiprocessors);
    }
}
