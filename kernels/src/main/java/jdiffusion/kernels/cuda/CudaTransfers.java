package jdiffusion.kernels.cuda;

import java.lang.foreign.MemorySegment;
import java.util.List;
import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;
import jcuda.driver.CUstream;
import jcuda.driver.CUstream_flags;
import jcuda.driver.JCudaDriver;
import jdiffusion.kernels.conv2d.CudaConv2d;
import jdiffusion.kernels.linear.AdapterForm;
import jdiffusion.kernels.linear.CudaLinear;
import jdiffusion.tensor.Tensor;

/**
 * Brings weights to the device: those that stay on the stream of all work, those of streamed blocks on a stream of
 * their own, so that they travel while the block before computes. Events order the two: a copy waits for the last work
 * that reads its slot, and work waits for the copies to the slot it reads.
 */
final class CudaTransfers implements DevicePlacement.Transfers {
    private static final int SLOTS = 2;

    private final Cuda cuda;
    private CUstream copying;
    private final CUevent[] copied = new CUevent[SLOTS];
    private final CUevent[] read = new CUevent[SLOTS];

    CudaTransfers(Cuda cuda, boolean streaming) {
        this.cuda = cuda;
        if (streaming) {
            try {
                cuda.queue(() -> "making a stream for copies", _ -> open());
            } catch (RuntimeException | Error e) {
                close();
                throw e;
            }
        }
    }

    private void open() {
        CUstream made = new CUstream();
        JCudaDriver.cuStreamCreate(made, CUstream_flags.CU_STREAM_NON_BLOCKING);
        copying = made;
        for (int slot = 0; slot < SLOTS; slot++) {
            copied[slot] = event();
            read[slot] = event();
        }
    }

    private static CUevent event() {
        CUevent event = new CUevent();
        JCudaDriver.cuEventCreate(event, CUevent_flags.CU_EVENT_DISABLE_TIMING);
        return event;
    }

    @Override
    public void copyIn(MemorySegment host, long address) {
        cuda.copyIn(host, address);
    }

    @Override
    public void reorder(Tensor stored, Tensor placed) {
        CudaConv2d.place(cuda, stored, placed);
    }

    @Override
    public void merge(AdapterForm.Merge pairs, Tensor matrix) {
        new CudaLinear(cuda).merge(pairs, matrix);
    }

    @Override
    public void fetch(int slot, List<DevicePlacement.Copy> copies) {
        cuda.queue(() -> "copying a block's weights to the device", _ -> {
            // An event that was never recorded counts as reached.
            JCudaDriver.cuStreamWaitEvent(copying, read[slot], 0);
            for (DevicePlacement.Copy copy : copies) {
                cuda.copyIn(copy.host(), copy.address(), copying);
            }
            JCudaDriver.cuEventRecord(copied[slot], copying);
        });
    }

    @Override
    public void enter(int slot) {
        cuda.queue(() -> "waiting for a block's weights", stream ->
                JCudaDriver.cuStreamWaitEvent(stream, copied[slot], 0));
    }

    @Override
    public void leave(int slot) {
        cuda.queue(() -> "marking the end of a block", stream -> JCudaDriver.cuEventRecord(read[slot], stream));
    }

    @Override
    public void close() {
        if (copying == null) {
            return;
        }
        cuda.use();
        Cuda.quietly(() -> JCudaDriver.cuStreamSynchronize(copying));
        for (CUevent[] events : List.of(copied, read)) {
            for (CUevent event : events) {
                if (event != null) {
                    Cuda.quietly(() -> JCudaDriver.cuEventDestroy(event));
                }
            }
        }
        Cuda.quietly(() -> JCudaDriver.cuStreamDestroy(copying));
    }
}
