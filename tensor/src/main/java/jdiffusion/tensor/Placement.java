package jdiffusion.tensor;

/**
 * Brings a checkpoint's tensors to where a device reads them; owns whatever memory that takes, until it is closed.
 * One for each component of a pipeline.
 *
 * <p>Tensors that are placed between {@link #beginBlock} and {@link #endBlock} belong to a block of layers. A placement
 * may keep only two blocks on the device at a time; then whoever computes with a block's tensors says so by
 * {@link #enter} and {@link #leave}, as {@link WeightBlocks} does.
 */
public interface Placement extends AutoCloseable {
    /** The number of no block. */
    int NO_BLOCK = -1;

    /**
     * How much device memory a placement takes.
     *
     * @param resident bytes of what stays
     * @param slots    bytes of each of the two places through which blocks pass; 0 when all blocks stay
     */
    record Size(long resident, long slots) {
        public static final Size NONE = new Size(0, 0);

        public long total() {
            return resident + 2 * slots;
        }

        public boolean streams() {
            return slots > 0;
        }
    }

    /** Leaves everything where the file is mapped. */
    static Placement onHost() {
        return new Placement() {
            private long bytes;

            @Override
            public Tensor tensor(Tensor stored) {
                bytes += stored.byteSize();
                return stored;
            }

            @Override
            public Tensor kernels(Tensor stored) {
                return tensor(stored);
            }

            @Override
            public long byteSize() {
                return bytes;
            }

            @Override
            public void close() {
                // The mapping belongs to the checkpoint.
            }
        };
    }

    /** The same elements in the same order and type. */
    Tensor tensor(Tensor stored);

    /** The same matrix; a device may hold adapters' parts added to it. */
    default Weight weight(Weight stored) {
        return stored.place(this::tensor);
    }

    /**
     * The weight [cout, cin, k, k] of a convolution, for {@code Backend.conv2d} alone: the shape stays, the order in
     * memory and the type may be others. Not within a block.
     */
    Tensor kernels(Tensor stored);

    /** What is placed from now on belongs to a new block, whose number, from 0, is returned. */
    default int beginBlock() {
        return NO_BLOCK;
    }

    default void endBlock() {
    }

    /** Work that is queued from now on may read the block's tensors. */
    default void enter(int block) {
    }

    /**
     * Work that is queued from now on does not read the block's tensors.
     *
     * @param next the block that will be entered next, to be brought meanwhile; or {@link #NO_BLOCK}
     */
    default void leave(int block, int next) {
    }

    /** Bytes of all that was placed. */
    long byteSize();

    /** Memory of the device that this takes. */
    default Size size() {
        return Size.NONE;
    }

    @Override
    void close();
}
