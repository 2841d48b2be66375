package jdiffusion.emulator.exec;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * What a bulk copy moves, in chunks of 16 bytes that are each whole in shared memory: from global memory or to it, or
 * from the shared memory of one block to that of another.
 */
final class Chunks implements Payload {
    /** Bytes of a chunk. */
    static final int BYTES = 16;
    private static final int SECTOR = 32;
    private static final int WORDS = BYTES / Integer.BYTES;
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;

    private final int[] shared;
    private final long[] global;
    /** Of each chunk the bytes that exist in global memory: from, and to. */
    private final byte[] from;
    private final byte[] to;
    private final int fill;
    /** Shared memory that the chunks come from, at {@link #global} there; null for global memory. */
    private final int[] source;
    private Reduction reduction;
    private int count;

    /** @param fill what is put where nothing exists in global memory, as 32 bits */
    Chunks(int most, int fill) {
        this(most, fill, null);
    }

    private Chunks(int most, int fill, int[] source) {
        this.source = source;
        this.shared = new int[most];
        this.global = new long[most];
        this.from = new byte[most];
        this.to = new byte[most];
        this.fill = fill;
    }

    /** Bytes in a row of shared memory, a multiple of 16, from {@code from} on in the words of a block. */
    static Chunks shared(long target, int[] source, long from, int bytes) {
        var chunks = new Chunks(bytes / BYTES, 0, source);
        for (int i = 0; i < bytes; i += BYTES) {
            chunks.add(target + i, from + i, 0, BYTES);
        }
        return chunks;
    }

    /** Bytes in a row, a multiple of 16. */
    static Chunks line(long shared, long global, int bytes) {
        var chunks = new Chunks(bytes / BYTES, 0);
        for (int i = 0; i < bytes; i += BYTES) {
            chunks.add(shared + i, global + i, 0, BYTES);
        }
        return chunks;
    }

    /** Adds a chunk, of which the bytes {@code [from, to)} exist in global memory. */
    void add(long shared, long global, int from, int to) {
        this.shared[count] = Math.clamp(shared, -1, Integer.MAX_VALUE);
        this.global[count] = global;
        this.from[count] = (byte) from;
        this.to[count++] = (byte) to;
    }

    /** The same chunks, combined with what is where they go; null to take its place. */
    Chunks combining(Reduction with) {
        reduction = with;
        return this;
    }

    @Override
    public Reduction reduction() {
        return reduction;
    }

    /** Where the chunks lie in shared memory. */
    @Override
    public int[] addresses() {
        return shared;
    }

    @Override
    public int piece() {
        return BYTES;
    }

    /** Bytes in shared memory. */
    @Override
    public int bytes() {
        return count * BYTES;
    }

    /** Bytes that exist in global memory. */
    int valid() {
        int valid = 0;
        for (int i = 0; i < count; i++) {
            valid += to[i] - from[i];
        }
        return valid;
    }

    /** Sectors of 32 bytes of global memory that it touches, where chunks of a row follow each other. */
    int sectors() {
        int sectors = 0;
        long last = -1;
        for (int i = 0; i < count; i++) {
            if (to[i] > from[i]) {
                long first = (global[i] + from[i]) / SECTOR;
                long end = (global[i] + to[i] - 1) / SECTOR;
                sectors += (int) (end - first) + (first == last ? 0 : 1);
                last = end;
            }
        }
        return sectors;
    }

    @Override
    public void toShared(int[] words) {
        if (source != null) {
            for (int i = 0; i < count; i++) {
                if (reduction != null) {
                    reduction.shared(words, shared[i] >> 2, source, (int) (global[i] >> 2), WORDS);
                } else {
                    System.arraycopy(source, (int) (global[i] >> 2), words, shared[i] >> 2, WORDS);
                }
            }
            return;
        }
        MemorySegment all = GlobalMemory.all();
        for (int i = 0; i < count; i++) {
            int at = shared[i] >> 2;
            if (from[i] == 0 && to[i] == BYTES) {
                for (int j = 0; j < WORDS; j++) {
                    words[at + j] = all.get(INT, global[i] + 4L * j);
                }
                continue;
            }
            for (int j = 0; j < WORDS; j++) {
                words[at + j] = fill;
            }
            for (int b = from[i]; b < to[i]; b++) {
                int value = all.get(ValueLayout.JAVA_BYTE, global[i] + b) & 0xff;
                int shift = 8 * (b & 3);
                words[at + (b >> 2)] = words[at + (b >> 2)] & ~(0xff << shift) | value << shift;
            }
        }
    }

    void toGlobal(int[] words) {
        MemorySegment all = GlobalMemory.all();
        for (int i = 0; i < count; i++) {
            int at = shared[i] >> 2;
            if (reduction != null) {
                reduction.global(global[i], from[i], to[i], words, at);
                continue;
            }
            if (from[i] == 0 && to[i] == BYTES) {
                for (int j = 0; j < WORDS; j++) {
                    all.set(INT, global[i] + 4L * j, words[at + j]);
                }
                continue;
            }
            for (int b = from[i]; b < to[i]; b++) {
                all.set(ValueLayout.JAVA_BYTE, global[i] + b, (byte) (words[at + (b >> 2)] >>> 8 * (b & 3)));
            }
        }
    }
}
