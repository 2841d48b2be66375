package jdiffusion.kernels.cuda;

import java.util.function.Supplier;
import jcuda.driver.CUfunction;

/** A kernel of a loaded module; {@link Cuda#kernel} gives it. */
public final class CudaKernel {
    /** What a block gets without asking for more. */
    private static final int USUAL_SHARED_BYTES = 48 << 10;

    private final Cuda cuda;
    private final String name;
    private final CUfunction function;
    private int sharedAllowed = USUAL_SHARED_BYTES;

    CudaKernel(Cuda cuda, String name, CUfunction function) {
        this.cuda = cuda;
        this.name = name;
        this.function = function;
    }

    public String name() {
        return name;
    }

    /**
     * Queues a launch.
     *
     * @param what        the operation and its shapes, for messages
     * @param sharedBytes of dynamic shared memory for each block
     */
    public void launch(Supplier<String> what, int gridX, int gridY, int gridZ, int blockX, int sharedBytes,
                       KernelArgs args) {
        if (sharedBytes > sharedAllowed) {
            cuda.allowShared(what, this, function, sharedBytes);
            sharedAllowed = sharedBytes;
        }
        cuda.launch(what, this, function, gridX, gridY, gridZ, blockX, sharedBytes, args);
    }
}
