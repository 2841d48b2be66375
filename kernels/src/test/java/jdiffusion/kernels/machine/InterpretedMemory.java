package jdiffusion.kernels.machine;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/** The memory that interpreted code sees: segments at addresses far from each other, and nothing between them. */
final class InterpretedMemory {
    private static final long FIRST = 0x7e00_0000_0000L;
    private static final long APART = 1L << 36;
    private static final int LINE = 64;
    private static final ValueLayout.OfInt INT =
            ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final List<Region> regions = new ArrayList<>();

    private record Region(long start, MemorySegment segment) {
        boolean holds(long address, long bytes) {
            return address >= start && address - start <= segment.byteSize() - bytes;
        }
    }

    /**
     * Gives a segment an address; that of NULL is 0. One on the heap begins at no multiple of more than four bytes, one
     * that is not as far behind a cache line as it does.
     */
    long place(MemorySegment segment) {
        if (segment.equals(MemorySegment.NULL)) {
            return 0;
        }
        int behind = segment.isNative() ? (int) (segment.address() % LINE) : 4 * (3 + regions.size());
        long start = FIRST + APART * regions.size() + behind;
        regions.add(new Region(start, segment));
        return start;
    }

    private Region region(long address, long bytes) {
        for (Region region : regions) {
            if (region.holds(address, bytes)) {
                return region;
            }
        }
        throw new MachineFault("%d bytes at %x are in no segment".formatted(bytes, address));
    }

    int readInt(long address) {
        Region region = region(address, Integer.BYTES);
        return region.segment.get(INT, address - region.start);
    }

    long readLong(long address) {
        Region region = region(address, Long.BYTES);
        return region.segment.get(LONG, address - region.start);
    }

    void writeInt(long address, int value) {
        Region region = region(address, Integer.BYTES);
        region.segment.set(INT, address - region.start, value);
    }

    void writeLong(long address, long value) {
        Region region = region(address, Long.BYTES);
        region.segment.set(LONG, address - region.start, value);
    }

    void read(long address, int[] to, int words) {
        Region region = region(address, (long) words * Integer.BYTES);
        MemorySegment.copy(region.segment, INT, address - region.start, to, 0, words);
    }

    void write(long address, int[] from, int words) {
        Region region = region(address, (long) words * Integer.BYTES);
        MemorySegment.copy(from, 0, region.segment, INT, address - region.start, words);
    }
}
