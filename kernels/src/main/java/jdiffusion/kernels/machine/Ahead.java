package jdiffusion.kernels.machine;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * What a product asks the CPU to bring into its caches while it computes: rows that will be read soon, and those of the
 * output that its sums will go to. These are hints: nothing fails, not even where memory can no longer be read. A
 * thread's own. In which order they come is said here of {@link ProductCode}, of tiles by {@link AmxPanelCode}.
 */
public final class Ahead {
    /** Panels after which a strip of 64 rows has been asked for. */
    public static final int READ_PANELS = 16;
    /** What is asked for where there is nothing to ask for: in the caches after the first time. */
    private static final long NOTHING = Arena.global().allocate(4096, 64).address();

    private long read = NOTHING;
    private long readStride;
    private long write = NOTHING;
    private long writeStride;

    /**
     * With panel i of the next call, rows i, i + 16, i + 32 and i + 48 from an offset on, as many words of each as the
     * product has steps.
     *
     * @param offset in bytes
     * @param stride distance of rows in bytes
     */
    public void toRead(MemorySegment data, long offset, long stride) {
        read = data.isNative() ? data.address() + offset : NOTHING;
        readStride = data.isNative() ? stride : 0;
    }

    /** No rows to read with the next call. */
    public void nothingToRead() {
        read = NOTHING;
        readStride = 0;
    }

    /** With panel i of the next call, the 6 rows of the output from 6 i on, a word of each for every column. */
    public void toWrite(MemorySegment data, long offset, long stride) {
        write = data.isNative() ? data.address() + offset : NOTHING;
        writeStride = data.isNative() ? stride : 0;
    }

    /** The output is not written after the next call. */
    public void nothingToWrite() {
        write = NOTHING;
        writeStride = 0;
    }

    /** Goes on in the output behind so many panels. */
    public void advance(int panels) {
        write += (long) ProductCode.ROWS * panels * writeStride;
    }

    long read() {
        return read;
    }

    long readStride() {
        return readStride;
    }

    long write() {
        return write;
    }

    long writeStride() {
        return writeStride;
    }
}
