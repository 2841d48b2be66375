package jdiffusion.kernels.linear;

/** The tiles of out that the kernels of matrix products are compiled for. */
public enum GemmTile {
    /** LargeTile of {@code tiles.cuh}: 8 warps. */
    LARGE("large", 128, 128, 256),
    /** WideTile of {@code linear_nf4.cuh}: 4 warps, as all that follow. */
    FOUR_BIT_WIDE("wide", 128, 64, 128),
    /** WideTile of {@code linear_blocks.cuh}. */
    BLOCKS_WIDE("wide", 96, 64, 128),
    /** SmallTile and NarrowTile. */
    SMALL("small", 64, 64, 128);

    /** Blocks of a larger tile that a launch must have to be worth it: about what fills a card of the middle class. */
    private static final int LEAST_BLOCKS = 96;

    private final String label;
    private final int rows;
    private final int cols;
    private final int threads;

    GemmTile(String label, int rows, int cols, int threads) {
        this.label = label;
        this.rows = rows;
        this.cols = cols;
        this.threads = threads;
    }

    /** Its name in the names of kernels. */
    public String label() {
        return label;
    }

    /** Threads of a block. */
    public int threads() {
        return threads;
    }

    /** Blocks that make an out of [m, n]. */
    public int blocks(int m, int n) {
        return Math.multiplyExact(Math.ceilDiv(m, rows), Math.ceilDiv(n, cols));
    }

    /**
     * This tile or the small one, for outs that take so many blocks of each: larger ones read each operand less often,
     * but must fill the card, and not with the zeros beyond few rows or columns.
     */
    public GemmTile orSmall(int blocks, int smallBlocks) {
        boolean filled = (long) smallBlocks * SMALL.rows * SMALL.cols * 2 > (long) blocks * rows * cols;
        return blocks >= LEAST_BLOCKS && smallBlocks > blocks && filled ? this : SMALL;
    }
}
