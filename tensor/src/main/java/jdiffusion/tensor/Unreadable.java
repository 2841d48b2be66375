package jdiffusion.tensor;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Addresses that the host must not read: those of a device, or of no memory at all. Reading throws an exception. */
public final class Unreadable {
    /** All addresses, and closed. */
    private static final MemorySegment ADDRESSES = addresses();

    private Unreadable() {
    }

    /** What lies at an address, for the data of a tensor. */
    public static MemorySegment at(long address, long bytes) {
        return ADDRESSES.asSlice(address, bytes);
    }

    /** Memory of any size that is not there. */
    public static MemorySegment nothing() {
        return ADDRESSES;
    }

    private static MemorySegment addresses() {
        try (Arena arena = Arena.ofShared()) {
            return MemorySegment.NULL.reinterpret(Long.MAX_VALUE, arena, null);
        }
    }
}
