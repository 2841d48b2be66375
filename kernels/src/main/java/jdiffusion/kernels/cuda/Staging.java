package jdiffusion.kernels.cuda;

import java.lang.foreign.MemorySegment;
import jcuda.CudaException;
import jcuda.Pointer;
import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;
import jcuda.driver.CUstream;
import jcuda.driver.JCudaDriver;

/**
 * Two buffers of page-locked host memory through which copies pass: while the device fetches one, the other is filled
 * from the mapped file. Failures are JCuda's exceptions.
 */
final class Staging implements AutoCloseable {
    private static final long BYTES = 4 << 20;

    private final CUstream stream;
    private final Pointer[] pinned = {new Pointer(), new Pointer()};
    private final MemorySegment[] memory = new MemorySegment[2];
    private final CUevent[] fetched = {new CUevent(), new CUevent()};
    private int events;
    private int next;

    Staging(CUstream stream) {
        this.stream = stream;
        try {
            for (int i = 0; i < pinned.length; i++) {
                JCudaDriver.cuEventCreate(fetched[i],
                        CUevent_flags.CU_EVENT_DISABLE_TIMING | CUevent_flags.CU_EVENT_BLOCKING_SYNC);
                events++;
                JCudaDriver.cuMemAllocHost(pinned[i], BYTES);
                memory[i] = MemorySegment.ofBuffer(pinned[i].getByteBuffer(0, BYTES));
            }
        } catch (CudaException e) {
            close();
            throw e;
        }
    }

    void copyIn(MemorySegment host, long to) {
        for (long done = 0; done < host.byteSize(); done += BYTES) {
            long bytes = Math.min(BYTES, host.byteSize() - done);
            // An event that was never recorded counts as reached.
            JCudaDriver.cuEventSynchronize(fetched[next]);
            MemorySegment.copy(host, done, memory[next], 0, bytes);
            JCudaDriver.cuMemcpyHtoDAsync(Cuda.pointer(to + done), pinned[next], bytes, stream);
            JCudaDriver.cuEventRecord(fetched[next], stream);
            next = 1 - next;
        }
    }

    void copyOut(long from, MemorySegment host) {
        JCudaDriver.cuStreamSynchronize(stream);
        for (long done = 0; done < host.byteSize(); done += BYTES) {
            long bytes = Math.min(BYTES, host.byteSize() - done);
            JCudaDriver.cuMemcpyDtoH(pinned[next], Cuda.pointer(from + done), bytes);
            MemorySegment.copy(memory[next], 0, host, done, bytes);
        }
    }

    @Override
    public void close() {
        for (int i = 0; i < events; i++) {
            CUevent event = fetched[i];
            Cuda.quietly(() -> JCudaDriver.cuEventDestroy(event));
            if (memory[i] != null) {
                Pointer buffer = pinned[i];
                Cuda.quietly(() -> JCudaDriver.cuMemFreeHost(buffer));
            }
        }
    }
}
