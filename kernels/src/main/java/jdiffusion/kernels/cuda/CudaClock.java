package jdiffusion.kernels.cuda;

import java.util.ArrayList;
import java.util.List;
import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;
import jcuda.driver.CUstream;
import jcuda.driver.JCudaDriver;
import jdiffusion.kernels.WorkClock;

/**
 * Time by events between the work of a stream, which goes on meanwhile: waiting for each operation would add the tens
 * of microseconds that a thread takes to wake up. Events are looked at, and given back, many at a time. A device has
 * one clock, however many ask for it.
 */
final class CudaClock implements WorkClock, AutoCloseable {
    private static final int MOST_OPEN = 2048;
    private static final double NANOS_PER_MILLISECOND = 1e6;

    private final Cuda cuda;
    private final List<Moment> open = new ArrayList<>();
    /** The event before the open ones: milliseconds are float32, and only between neighbours fine enough. */
    private CUevent base;
    private double baseNanos;

    CudaClock(Cuda cuda) {
        this.cuda = cuda;
    }

    private final class Moment implements Mark {
        private CUevent event;
        private long nanos;

        @Override
        public long nanos() {
            if (event != null) {
                settle();
            }
            return nanos;
        }
    }

    @Override
    public Mark mark() {
        if (base == null) {
            cuda.synchronize();
            base = record();
            baseNanos = System.nanoTime();
        } else if (open.size() >= MOST_OPEN) {
            settle();
        }
        Moment moment = new Moment();
        moment.event = record();
        open.add(moment);
        return moment;
    }

    private CUevent record() {
        CUevent event = new CUevent();
        cuda.queue(() -> "marking a moment", _ -> JCudaDriver.cuEventCreate(event, CUevent_flags.CU_EVENT_DEFAULT));
        try {
            cuda.queue(() -> "marking a moment", (CUstream stream) -> JCudaDriver.cuEventRecord(event, stream));
        } catch (RuntimeException | Error e) {
            destroy(event);
            throw e;
        }
        return event;
    }

    /** Waits, and reads all events, each from the one before it; the last one is the next base. */
    private void settle() {
        float[] milliseconds = new float[1];
        try {
            cuda.synchronize();
            for (Moment moment : open) {
                CUevent before = base;
                CUevent event = moment.event;
                cuda.queue(() -> "reading a moment", _ -> JCudaDriver.cuEventElapsedTime(milliseconds, before, event));
                baseNanos += milliseconds[0] * NANOS_PER_MILLISECOND;
                moment.nanos = Math.round(baseNanos);
                moment.event = null;
                destroy(before);
                base = event;
            }
        } finally {
            giveUp();
        }
    }

    /** Moments that were not read, because the device failed or is closed, are those of the last that was. */
    private void giveUp() {
        for (Moment moment : open) {
            if (moment.event != null) {
                destroy(moment.event);
                moment.nanos = Math.round(baseNanos);
                moment.event = null;
            }
        }
        open.clear();
    }

    /** Gives the events back. The clock can be used again. */
    @Override
    public void close() {
        if (base != null) {
            cuda.use();
            giveUp();
            destroy(base);
            base = null;
        }
    }

    private static void destroy(CUevent event) {
        Cuda.quietly(() -> JCudaDriver.cuEventDestroy(event));
    }
}
