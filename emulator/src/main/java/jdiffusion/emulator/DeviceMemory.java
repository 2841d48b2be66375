package jdiffusion.emulator;

import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.AtomicLong;

/** Registry of what is allocated on the device, by real address. Thread-safe. */
public final class DeviceMemory {

    /** One allocation: its first address and its size in bytes. */
    public record Allocation(long address, long bytes) {

        /** True when the whole of {@code [from, from + size)} lies inside. */
        public boolean covers(long from, long size) {
            return from >= address && from - address <= bytes - size;
        }
    }

    private final ConcurrentSkipListMap<Long, Allocation> allocations = new ConcurrentSkipListMap<>();
    private final AtomicLong total = new AtomicLong();
    private final AtomicLong peak = new AtomicLong();

    /**
     * Makes {@code [address, address + bytes)} accessible to kernels.
     *
     * @throws IllegalArgumentException when it overlaps an allocation or is empty
     */
    public void add(long address, long bytes) {
        if (bytes <= 0) {
            throw new IllegalArgumentException("device memory: allocation of " + bytes + " bytes");
        }
        var floor = allocations.floorEntry(address + bytes - 1);
        if (floor != null && floor.getValue().address() + floor.getValue().bytes() > address) {
            throw new IllegalArgumentException("device memory: [0x%x, +%d) overlaps [0x%x, +%d)".formatted(
                    address, bytes, floor.getValue().address(), floor.getValue().bytes()));
        }
        allocations.put(address, new Allocation(address, bytes));
        peak.accumulateAndGet(total.addAndGet(bytes), Math::max);
    }

    /**
     * Forgets the allocation that starts at {@code address}.
     *
     * @throws IllegalArgumentException when none does
     */
    public void remove(long address) {
        Allocation gone = allocations.remove(address);
        if (gone == null) {
            throw new IllegalArgumentException("device memory: no allocation starts at 0x%x".formatted(address));
        }
        total.addAndGet(-gone.bytes());
    }

    /** Bytes allocated now. */
    public long bytes() {
        return total.get();
    }

    /** The most bytes that were allocated at any time. */
    public long peakBytes() {
        return peak.get();
    }

    /** The allocation that covers {@code address}, or null. */
    public Allocation find(long address) {
        Map.Entry<Long, Allocation> floor = allocations.floorEntry(address);
        return floor != null && floor.getValue().covers(address, 1) ? floor.getValue() : null;
    }

    /** The allocation whose range is nearest to {@code address}, or null when there are none. */
    public Allocation nearest(long address) {
        Map.Entry<Long, Allocation> below = allocations.floorEntry(address);
        Map.Entry<Long, Allocation> above = allocations.ceilingEntry(address);
        if (below == null || above == null) {
            return below != null ? below.getValue() : above != null ? above.getValue() : null;
        }
        long gapBelow = address - below.getKey() - below.getValue().bytes();
        return gapBelow <= above.getKey() - address ? below.getValue() : above.getValue();
    }
}
