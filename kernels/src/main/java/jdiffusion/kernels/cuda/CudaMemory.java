package jdiffusion.kernels.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import jdiffusion.kernels.DeviceException;
import jdiffusion.tensor.Workspace;

/** Device memory as the slabs of a {@link Workspace} or of a checkpoint's tensors; freed together. */
final class CudaMemory implements Workspace.Source {
    /** All addresses, and closed: reading device memory on the host throws instead of ending the JVM. */
    private static final MemorySegment ADDRESSES = addresses();

    private final Cuda cuda;
    private final List<Long> slabs = new ArrayList<>();

    CudaMemory(Cuda cuda) {
        this.cuda = cuda;
    }

    /** What lies at a device address, for the data of a tensor. */
    static MemorySegment at(long address, long bytes) {
        return ADDRESSES.asSlice(address, bytes);
    }

    private static MemorySegment addresses() {
        try (Arena arena = Arena.ofShared()) {
            return MemorySegment.NULL.reinterpret(Long.MAX_VALUE, arena, null);
        }
    }

    /** New memory, not zeroed. */
    long take(long bytes) {
        long address = cuda.allocate(bytes);
        slabs.add(address);
        return address;
    }

    @Override
    public MemorySegment reserve(long bytes) {
        long address = take(bytes);
        cuda.clear(address, bytes);
        return at(address, bytes);
    }

    /** Frees all, also when something fails; the first failure is thrown in the end. */
    @Override
    public void close() {
        DeviceException first = null;
        for (long slab : slabs) {
            try {
                cuda.free(slab);
            } catch (DeviceException e) {
                first = first == null ? e : first;
            }
        }
        slabs.clear();
        if (first != null) {
            throw first;
        }
    }
}
