package jdiffusion.kernels.cuda;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.IntStream;
import jcuda.CudaException;
import jcuda.Pointer;
import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;
import jcuda.driver.CUstream;
import jcuda.driver.JCudaDriver;
import jdiffusion.kernels.machine.Pages;

/**
 * Buffers of page-locked host memory through which copies pass: while the device fetches some, the next is filled, much
 * of it by several threads, since one alone that meets the pages of a mapped file for the first time is slower than a
 * card's bus. Copies that follow each other on a stream share a buffer until it is full, so small ones wait for
 * nothing. Failures are JCuda's exceptions. Used by one thread at a time.
 */
final class Staging implements AutoCloseable {
    /** As many copies of a buffer's size can be under way. */
    static final int BUFFERS = 4;
    /** So large that a copy takes longer than to queue it: 0.3 ms or more. */
    static final long BUFFER_BYTES = 16 << 20;
    /** What is worth a thread of its own. */
    private static final long PART = 1 << 20;
    private static final long ALIGNMENT = 256;

    private final int most;
    private final long size;
    /** Taken when they are first needed. */
    private final List<Buffer> buffers = new ArrayList<>();
    private int current;

    /** A buffer, {@code used} bytes of which copies on {@code stream} read until {@code fetched}. */
    private static final class Buffer {
        private final CUevent fetched = new CUevent();
        private final Pointer pinned = new Pointer();
        private MemorySegment memory;
        private CUstream stream;
        private long used;
    }

    Staging() {
        this(BUFFERS, BUFFER_BYTES);
    }

    /**
     * @param most buffers, at most
     * @param size of one, in bytes
     */
    Staging(int most, long size) {
        this.most = most;
        this.size = size;
        add();
    }

    private void add() {
        Buffer buffer = new Buffer();
        JCudaDriver.cuEventCreate(buffer.fetched,
                CUevent_flags.CU_EVENT_DISABLE_TIMING | CUevent_flags.CU_EVENT_BLOCKING_SYNC);
        try {
            JCudaDriver.cuMemAllocHost(buffer.pinned, size);
        } catch (CudaException e) {
            Cuda.quietly(() -> JCudaDriver.cuEventDestroy(buffer.fetched));
            throw e;
        }
        buffer.memory = MemorySegment.ofBuffer(buffer.pinned.getByteBuffer(0, size));
        buffers.add(buffer);
    }

    /** The next buffer, empty. */
    private Buffer next() {
        if (buffers.size() < most) {
            add();
            current = buffers.size() - 1;
        } else {
            current = (current + 1) % buffers.size();
        }
        Buffer buffer = buffers.get(current);
        // An event that was never recorded counts as reached.
        JCudaDriver.cuEventSynchronize(buffer.fetched);
        buffer.used = 0;
        return buffer;
    }

    /**
     * Queues a copy to the device.
     *
     * @param host memory that every thread may read; it may change once this returns
     * @param to   address on the device
     */
    void copyIn(MemorySegment host, long to, CUstream stream) {
        if (host.isMapped() && host.byteSize() >= PART) {
            Pages.willRead(host);
        }
        long done = 0;
        while (done < host.byteSize()) {
            long left = host.byteSize() - done;
            Buffer buffer = buffers.get(current);
            // An event tells of one stream only.
            if (buffer.used > 0 && buffer.stream != stream || size - buffer.used < Math.min(left, PART)) {
                buffer = next();
            }
            long bytes = Math.min(left, size - buffer.used);
            fill(host.asSlice(done, bytes), buffer.memory.asSlice(buffer.used, bytes));
            JCudaDriver.cuMemcpyHtoDAsync(Cuda.pointer(to + done), buffer.pinned.withByteOffset(buffer.used), bytes,
                    stream);
            buffer.stream = stream;
            buffer.used = Math.min(size, Math.ceilDiv(buffer.used + bytes, ALIGNMENT) * ALIGNMENT);
            JCudaDriver.cuEventRecord(buffer.fetched, stream);
            done += bytes;
        }
    }

    /** Returns or fails when no thread writes any more: after a failure the buffer may be given back. */
    private static void fill(MemorySegment from, MemorySegment to) {
        int parts = Math.toIntExact(Math.ceilDiv(from.byteSize(), PART));
        if (parts == 1) {
            to.copyFrom(from);
            return;
        }
        AtomicReference<Throwable> failure = new AtomicReference<>();
        IntStream.range(0, parts).parallel().forEach(i -> {
            long at = i * PART;
            try {
                MemorySegment.copy(from, at, to, at, Math.min(PART, from.byteSize() - at));
            } catch (RuntimeException | Error e) {
                failure.compareAndSet(null, e);
            }
        });
        switch (failure.get()) {
            case null -> { }
            case Error e -> throw e;
            case Throwable e -> throw (RuntimeException) e;
        }
    }

    /** Copies from the device once all work of a stream is done. */
    void copyOut(long from, MemorySegment host, CUstream stream) {
        JCudaDriver.cuStreamSynchronize(stream);
        for (long done = 0; done < host.byteSize(); done += size) {
            long bytes = Math.min(size, host.byteSize() - done);
            Buffer buffer = next();
            JCudaDriver.cuMemcpyDtoH(buffer.pinned, Cuda.pointer(from + done), bytes);
            MemorySegment.copy(buffer.memory, 0, host, done, bytes);
        }
    }

    @Override
    public void close() {
        for (Buffer buffer : buffers) {
            Cuda.quietly(() -> JCudaDriver.cuEventSynchronize(buffer.fetched));
            Cuda.quietly(() -> JCudaDriver.cuEventDestroy(buffer.fetched));
            Cuda.quietly(() -> JCudaDriver.cuMemFreeHost(buffer.pinned));
        }
        buffers.clear();
    }
}
