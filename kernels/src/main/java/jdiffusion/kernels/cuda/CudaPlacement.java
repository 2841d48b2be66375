package jdiffusion.kernels.cuda;

import jdiffusion.tensor.DType;
import jdiffusion.tensor.Placement;
import jdiffusion.tensor.Tensor;

/**
 * A checkpoint's tensors in device memory, as they are stored; only the weights of convolutions change their order and
 * type. Small tensors share slabs.
 */
final class CudaPlacement implements Placement {
    private static final long ALIGNMENT = 256;
    private static final long SLAB = 32 << 20;

    private final Cuda cuda;
    private final CudaMemory memory;
    private final KernelOrder kernelOrder;
    private long slab;
    private long left;
    private long bytes;

    /** Turns stored convolution weights, already on the device, into what the convolution reads. */
    @FunctionalInterface
    interface KernelOrder {
        /**
         * @param stored [cout, cin, k, k] of any floating-point type
         * @param placed [cout, cin, k, k], written
         */
        void reorder(Tensor stored, Tensor placed);
    }

    /** @param kernelOrder the device's convolution's */
    CudaPlacement(Cuda cuda, KernelOrder kernelOrder) {
        this.cuda = cuda;
        this.memory = new CudaMemory(cuda);
        this.kernelOrder = kernelOrder;
    }

    @Override
    public Tensor tensor(Tensor stored) {
        return copy(stored, take(stored.byteSize()));
    }

    @Override
    public Tensor kernels(Tensor stored) {
        Tensor copy = copy(stored, cuda.scratch(stored.byteSize()));
        long size = stored.shape().size() * DType.BF16.bytes();
        Tensor placed = Tensor.of(CudaMemory.at(take(size), size), DType.BF16, stored.shape());
        kernelOrder.reorder(copy, placed);
        return placed;
    }

    private Tensor copy(Tensor stored, long address) {
        if (!stored.isContiguous()) {
            throw new IllegalArgumentException("placing " + stored + ", which has gaps between rows");
        }
        cuda.copyIn(stored.data().asSlice(0, stored.byteSize()), address);
        return Tensor.of(CudaMemory.at(address, stored.byteSize()), stored.type(), stored.shape());
    }

    private long take(long size) {
        long rounded = Math.max(1, Math.ceilDiv(size, ALIGNMENT)) * ALIGNMENT;
        bytes += rounded;
        if (rounded > SLAB / 4) {
            return memory.take(rounded);
        }
        if (rounded > left) {
            slab = memory.take(SLAB);
            left = SLAB;
        }
        long address = slab;
        slab += rounded;
        left -= rounded;
        return address;
    }

    @Override
    public long byteSize() {
        return bytes;
    }

    @Override
    public void close() {
        memory.close();
    }
}
