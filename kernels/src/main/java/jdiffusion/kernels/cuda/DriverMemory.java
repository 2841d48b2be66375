package jdiffusion.kernels.cuda;

import jcuda.CudaException;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;
import jdiffusion.kernels.DeviceException;

/** The memory of one opened device as its driver hands it out. */
final class DriverMemory implements DeviceMemory.Allocator {
    private static final String OUT_OF_MEMORY = CUresult.stringFor(CUresult.CUDA_ERROR_OUT_OF_MEMORY);

    private final Cuda cuda;

    DriverMemory(Cuda cuda) {
        this.cuda = cuda;
    }

    @Override
    public long allocate(long bytes) {
        cuda.use();
        DeviceAddress address = new DeviceAddress();
        try {
            JCudaDriver.cuMemAlloc(address, bytes);
        } catch (CudaException e) {
            if (e.getMessage().strip().equals(OUT_OF_MEMORY)) {
                throw new DeviceException(cuda.label() + ": out of device memory: " + Math.ceilDiv(bytes, 1L << 20)
                        + " MiB more are needed" + whatIsFree() + "; a smaller size or batch needs less", e);
            }
            throw cuda.failure(() -> "taking " + bytes + " bytes of device memory", e);
        }
        return address.value();
    }

    @Override
    public void free(long address) {
        // Kernels that are queued may still read it, and nothing promises that freeing waits for them.
        cuda.synchronize();
        cuda.run(() -> "freeing device memory", () -> JCudaDriver.cuMemFree(Cuda.pointer(address)));
    }

    /** Bytes of device memory that nobody has taken. */
    long freeBytes() {
        long[] free = new long[1];
        cuda.use();
        cuda.run(() -> "asking for free memory", () -> JCudaDriver.cuMemGetInfo(free, new long[1]));
        return free[0];
    }

    private static String whatIsFree() {
        long[] free = new long[1];
        long[] total = new long[1];
        try {
            JCudaDriver.cuMemGetInfo(free, total);
        } catch (CudaException _) {
            return "";
        }
        return ", and " + (free[0] >> 20) + " of " + (total[0] >> 20) + " MiB are free";
    }

    /** Lets the address out that JCuda keeps to itself. */
    private static final class DeviceAddress extends CUdeviceptr {
        long value() {
            return getNativePointer();
        }
    }
}
