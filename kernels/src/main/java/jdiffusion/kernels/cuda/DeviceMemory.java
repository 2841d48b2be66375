package jdiffusion.kernels.cuda;

import java.util.HashMap;
import java.util.Map;
import java.util.function.LongConsumer;
import jdiffusion.kernels.MemoryCount;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Unreadable;
import jdiffusion.tensor.Workspace;

/**
 * All memory of a device that this program takes: counted, with one piece of scratch. Whether a device stands behind
 * it or nothing at all, the counts are the same; that is how memory is planned.
 */
public final class DeviceMemory {
    private static final long SCRATCH_STEP = 1 << 20;
    /** Where the addresses of no device begin; their distance keeps them as aligned as a device's. */
    private static final long FIRST_ADDRESS = 1L << 32;
    private static final long ADDRESS_STEP = 1 << 16;

    private final Allocator allocator;
    private final MemoryCount count = new MemoryCount();
    private final Map<Long, Long> sizes = new HashMap<>();
    private long scratch;
    private long scratchBytes;

    /** Where memory comes from. */
    interface Allocator {
        /** Memory aligned to 256 bytes. */
        long allocate(long bytes);

        void free(long address);
    }

    DeviceMemory(Allocator allocator) {
        this.allocator = allocator;
    }

    /** The memory of no device: addresses that nothing lies at. */
    public static DeviceMemory counting() {
        return new DeviceMemory(new Allocator() {
            private long next = FIRST_ADDRESS;

            @Override
            public long allocate(long bytes) {
                long address = next;
                next += Math.ceilDiv(bytes, ADDRESS_STEP) * ADDRESS_STEP;
                return address;
            }

            @Override
            public void free(long address) {
                // Addresses are many.
            }
        });
    }

    public MemoryCount count() {
        return count;
    }

    /** New memory, aligned to 256 bytes. */
    public long allocate(long bytes) {
        long address = allocator.allocate(bytes);
        sizes.put(address, bytes);
        count.add(bytes);
        return address;
    }

    public void free(long address) {
        Long bytes = sizes.remove(address);
        if (bytes != null) {
            count.remove(bytes);
        }
        allocator.free(address);
    }

    /**
     * Memory for temporaries. The scratch memory goes when it is closed, at the end of a stage.
     *
     * @param clear zeros them, from the address that it is given
     */
    public Workspace workspace(long bytes, LongConsumer clear, DType operandType, DType wideOperandType) {
        // No device gives memory of no bytes.
        long size = Math.max(1, bytes);
        long address = allocate(size);
        try {
            clear.accept(address);
        } catch (RuntimeException e) {
            free(address);
            throw e;
        }
        return new Workspace(Unreadable.at(address, size), () -> {
            freeScratch();
            free(address);
        }, operandType, wideOperandType);
    }

    /** Memory for the inside of one operation; what it held is lost with the next operation that asks. */
    public long scratch(long bytes) {
        if (bytes > scratchBytes) {
            freeScratch();
            long size = Math.ceilDiv(bytes, SCRATCH_STEP) * SCRATCH_STEP;
            scratch = allocate(size);
            scratchBytes = size;
        }
        return scratch;
    }

    public void freeScratch() {
        if (scratch != 0) {
            long address = scratch;
            scratch = 0;
            scratchBytes = 0;
            free(address);
        }
    }
}
