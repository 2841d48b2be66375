package jdiffusion.emulator.driver;

import java.nio.ByteBuffer;
import jcuda.Pointer;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.JCudaDriver;

/** Memory of the emulated device, as tests take it. */
final class DriverMemory {
    private DriverMemory() {
    }

    /** The address that JCuda keeps to itself. */
    static long address(CUdeviceptr pointer) {
        return new CUdeviceptr(pointer) {
            long value() {
                return getNativePointer() + getByteOffset();
            }
        }.value();
    }

    static CUdeviceptr upload(ByteBuffer bytes) {
        var pointer = new CUdeviceptr();
        JCudaDriver.cuMemAlloc(pointer, bytes.capacity());
        JCudaDriver.cuMemcpyHtoD(pointer, Pointer.to(bytes), bytes.capacity());
        return pointer;
    }
}
