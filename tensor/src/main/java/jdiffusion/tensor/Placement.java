package jdiffusion.tensor;

/**
 * Brings a checkpoint's tensors to where a device reads them; owns whatever memory that takes, until it is closed.
 * One for each stage of a pipeline, so that a stage's weights are gone before the next ones come.
 */
public interface Placement extends AutoCloseable {
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
     * memory and the type may be others.
     */
    Tensor kernels(Tensor stored);

    /** Bytes of all that was placed. */
    long byteSize();

    @Override
    void close();
}
