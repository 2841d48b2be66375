package jdiffusion.kernels.machine;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * The segments of the arrays in use, each made once, since a loop of calls should allocate nothing. There are a dozen
 * buffers in a program; whoever replaces one says so by {@link #clear}, or the old one would stay in memory.
 */
final class ArraySegments {
    private static final Entry[] NONE = {};
    private static final int MOST = 64;

    private volatile Entry[] entries = NONE;

    private record Entry(float[] array, MemorySegment segment) {
    }

    MemorySegment of(float[] array) {
        for (Entry entry : entries) {
            if (entry.array == array) {
                return entry.segment;
            }
        }
        return add(array);
    }

    private synchronized MemorySegment add(float[] array) {
        Entry added = new Entry(array, MemorySegment.ofArray(array));
        Entry[] old = entries.length == MOST ? NONE : entries;
        Entry[] grown = Arrays.copyOf(old, old.length + 1);
        grown[old.length] = added;
        entries = grown;
        return added.segment;
    }

    synchronized void clear() {
        entries = NONE;
    }
}
