package jdiffusion.kernels.machine;

import java.lang.foreign.MemorySegment;

/** What can be called like a {@link MachineFunction}. */
interface MachineCall extends AutoCloseable {
    /** Three places, each a segment and an offset in bytes, and three numbers. */
    void call(MemorySegment a, long aOffset, MemorySegment b, long bOffset, MemorySegment c, long cOffset, long n,
              long stride, long count);

    @Override
    void close();
}
