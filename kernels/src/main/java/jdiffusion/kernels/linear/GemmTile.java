package jdiffusion.kernels.linear;

/** The tiles of out that {@code tiles.cuh} has for operands in 16 or more bits. */
public enum GemmTile {
    /** LargeTile: 8 warps. */
    LARGE(128, 256),
    /** SmallTile: 4 warps. */
    SMALL(64, 128);

    /** Blocks of the large tile that a launch must have to be worth it: about what fills a card of the middle class. */
    private static final int LEAST_LARGE_BLOCKS = 96;

    private final int side;
    private final int threads;

    GemmTile(int side, int threads) {
        this.side = side;
        this.threads = threads;
    }

    /** Threads of a block. */
    public int threads() {
        return threads;
    }

    /** Blocks that make an out of [m, n]. */
    public int blocks(int m, int n) {
        return Math.multiplyExact(Math.ceilDiv(m, side), Math.ceilDiv(n, side));
    }

    /**
     * The better tile for outs that take so many blocks of each: large ones read each operand half as often, but must
     * fill the card, and not with the zeros beyond few rows or columns.
     */
    public static GemmTile choose(int largeBlocks, int smallBlocks) {
        return largeBlocks >= LEAST_LARGE_BLOCKS && smallBlocks > 2 * largeBlocks ? LARGE : SMALL;
    }
}
