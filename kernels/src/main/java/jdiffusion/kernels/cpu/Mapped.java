package jdiffusion.kernels.cpu;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jdiffusion.tensor.Tensor;

/**
 * Stored numbers that may lie in a mapped file. Where such a file has become shorter, or its disk fails, a plain read
 * by Java is an {@link InternalError}; one by machine code or by vectors ends the JVM. So a byte of each page is read
 * plainly before.
 */
public final class Mapped {
    private static final int PAGE = 4096;
    private static final int SINKS = 64;
    private static final int APART = 64;
    /** What was read goes here, or the compiler would leave the reading out; threads seldom share a cache line. */
    private static final byte[] SINK = new byte[SINKS * APART];

    private Mapped() {
    }

    /**
     * Makes sure that a run of bytes can be read.
     *
     * @throws InternalError when a page cannot be read
     */
    public static void touch(MemorySegment data, long offset, long bytes) {
        if (data.isNative() && bytes > 0) {
            end(read(data, offset, bytes));
        }
    }

    /** The same for a run of bytes of each of {@code count} rows from {@code first} on, {@code offset} into it. */
    static void touch(Tensor rows, int first, int count, long offset, int bytes) {
        MemorySegment data = rows.data();
        if (!data.isNative() || bytes <= 0) {
            return;
        }
        byte sum = 0;
        for (int r = first; r < first + count; r++) {
            sum ^= read(data, rows.rowOffset(r) + offset, bytes);
        }
        end(sum);
    }

    private static byte read(MemorySegment data, long offset, long bytes) {
        long last = offset + bytes - 1;
        byte sum = data.get(ValueLayout.JAVA_BYTE, last);
        for (long at = offset; at < last; at += PAGE) {
            sum ^= data.get(ValueLayout.JAVA_BYTE, at);
        }
        return sum;
    }

    /** Compiled code throws the error of a failed read not there, but on its way back from the JVM. */
    private static void end(byte sum) {
        Thread thread = Thread.currentThread();
        SINK[(int) (thread.threadId() % SINKS) * APART] = sum;
        Thread.holdsLock(thread);
    }
}
