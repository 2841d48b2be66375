package jdiffusion.kernels.cuda;

import java.util.ArrayList;
import java.util.List;
import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;
import jcuda.driver.CUstream;
import jcuda.driver.JCudaDriver;
import jdiffusion.kernels.WorkClock;

/**
 * Time by events between the work of a stream, which goes on meanwhile: waiting for each operation would add the tens of
 * microseconds that a thread takes to wake up. Events are looked at, and given back, many at a time.
 */
final class CudaClock implements WorkClock {
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
        cuda.queue(() -> "marking a moment", (CUstream stream) -> {
            JCudaDriver.cuEventCreate(event, CUevent_flags.CU_EVENT_DEFAULT);
            JCudaDriver.cuEventRecord(event, stream);
        });
        return event;
    }

    /** Waits, and reads all events, each from the one before it; the last one is the next base. */
    private void settle() {
        cuda.synchronize();
        float[] milliseconds = new float[1];
        double nanos = baseNanos;
        for (Moment moment : open) {
            CUevent before = base;
            CUevent event = moment.event;
            cuda.queue(() -> "reading a moment", _ -> JCudaDriver.cuEventElapsedTime(milliseconds, before, event));
            nanos += milliseconds[0] * NANOS_PER_MILLISECOND;
            moment.nanos = Math.round(nanos);
            moment.event = null;
            destroy(before);
            base = event;
        }
        baseNanos = nanos;
        open.clear();
    }

    private static void destroy(CUevent event) {
        Cuda.quietly(() -> JCudaDriver.cuEventDestroy(event));
    }
}
