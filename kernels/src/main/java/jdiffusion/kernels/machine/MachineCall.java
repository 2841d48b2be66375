package jdiffusion.kernels.machine;

import java.lang.foreign.MemorySegment;

/** What can be called like a {@link MachineFunction}. */
interface MachineCall extends AutoCloseable {
    /** Three places, each a segment and an offset in bytes, and three numbers. */
    default void call(MemorySegment a, long aOffset, MemorySegment b, long bOffset, MemorySegment c, long cOffset,
                      long n, long stride, long count) {
        call(a, aOffset, b, bOffset, c, cOffset, n, stride, count, 0, 0, 0, 0);
    }

    /** The same and two addresses that are only hints, each with a distance in bytes. */
    void call(MemorySegment a, long aOffset, MemorySegment b, long bOffset, MemorySegment c, long cOffset, long n,
              long stride, long count, long read, long readStride, long write, long writeStride);

    @Override
    void close();
}
