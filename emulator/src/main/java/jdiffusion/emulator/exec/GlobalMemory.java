package jdiffusion.emulator.exec;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jdiffusion.emulator.DeviceFault.Kind;
import jdiffusion.emulator.DeviceMemory.Allocation;

/**
 * Loads and stores of global and constant memory by a warp, at the addresses in {@link Warp#address}. Every access is
 * checked against the allocations first. Destinations and sources d0 to d3 are register slots; {@code n} of them count.
 */
final class GlobalMemory {
    private static final MemorySegment ALL = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;

    private GlobalMemory() {}

    static void load32(Warp w, int mask, int site, int n, int d0, int d1, int d2, int d3) {
        check(w, mask, site, 4 * n, false);
        long[] a = w.address;
        int[] r = w.r;
        for (int l = 0; l < Layout.LANES; l++) {
            if ((mask >>> l & 1) == 0) {
                continue;
            }
            long at = a[l];
            r[d0 + l] = ALL.get(INT, at);
            if (n > 1) {
                r[d1 + l] = ALL.get(INT, at + 4);
                if (n > 2) {
                    r[d2 + l] = ALL.get(INT, at + 8);
                    r[d3 + l] = ALL.get(INT, at + 12);
                }
            }
        }
    }

    static void store32(Warp w, int mask, int site, int n, int d0, int d1, int d2, int d3) {
        check(w, mask, site, 4 * n, true);
        long[] a = w.address;
        int[] r = w.r;
        for (int l = 0; l < Layout.LANES; l++) {
            if ((mask >>> l & 1) == 0) {
                continue;
            }
            long at = a[l];
            ALL.set(INT, at, r[d0 + l]);
            if (n > 1) {
                ALL.set(INT, at + 4, r[d1 + l]);
                if (n > 2) {
                    ALL.set(INT, at + 8, r[d2 + l]);
                    ALL.set(INT, at + 12, r[d3 + l]);
                }
            }
        }
    }

    static void load64(Warp w, int mask, int site, int n, int d0, int d1, int d2, int d3) {
        check(w, mask, site, 8 * n, false);
        for (int l = 0; l < Layout.LANES; l++) {
            if ((mask >>> l & 1) != 0) {
                w.q[d0 + l] = ALL.get(LONG, w.address[l]);
                if (n > 1) {
                    w.q[d1 + l] = ALL.get(LONG, w.address[l] + 8);
                }
            }
        }
    }

    static void store64(Warp w, int mask, int site, int n, int d0, int d1, int d2, int d3) {
        check(w, mask, site, 8 * n, true);
        for (int l = 0; l < Layout.LANES; l++) {
            if ((mask >>> l & 1) != 0) {
                ALL.set(LONG, w.address[l], w.q[d0 + l]);
                if (n > 1) {
                    ALL.set(LONG, w.address[l] + 8, w.q[d1 + l]);
                }
            }
        }
    }

    /** Elements of 1 or 2 bytes, extended by their sign or with zeros. */
    static void loadSmall(Warp w, int mask, int site, int bytes, int signed, int n, int d0, int d1, int d2, int d3) {
        check(w, mask, site, bytes * n, false);
        for (int i = 0; i < n; i++) {
            int d = i == 0 ? d0 : i == 1 ? d1 : i == 2 ? d2 : d3;
            for (int l = 0; l < Layout.LANES; l++) {
                if ((mask >>> l & 1) != 0) {
                    long at = w.address[l] + (long) bytes * i;
                    int value = bytes == 1 ? ALL.get(ValueLayout.JAVA_BYTE, at)
                            : ALL.get(ValueLayout.JAVA_SHORT_UNALIGNED, at);
                    w.r[d + l] = signed != 0 ? value : value & (bytes == 1 ? 0xff : 0xffff);
                }
            }
        }
    }

    static void storeSmall(Warp w, int mask, int site, int bytes, int signed, int n, int d0, int d1, int d2, int d3) {
        check(w, mask, site, bytes * n, true);
        for (int i = 0; i < n; i++) {
            int d = i == 0 ? d0 : i == 1 ? d1 : i == 2 ? d2 : d3;
            for (int l = 0; l < Layout.LANES; l++) {
                if ((mask >>> l & 1) != 0) {
                    long at = w.address[l] + (long) bytes * i;
                    if (bytes == 1) {
                        ALL.set(ValueLayout.JAVA_BYTE, at, (byte) w.r[d + l]);
                    } else {
                        ALL.set(ValueLayout.JAVA_SHORT_UNALIGNED, at, (short) w.r[d + l]);
                    }
                }
            }
        }
    }

    /** 32 bits at an address that {@link #check} has passed. */
    static int word(long at) {
        return ALL.get(INT, at);
    }

    /** All memory, for atomic accesses at checked addresses. */
    static MemorySegment all() {
        return ALL;
    }

    /** Faults unless every lane's {@code bytes} at its address are allocated and aligned; counts the request. */
    static void check(Warp w, int mask, int site, int bytes, boolean write) {
        long[] a = w.address;
        long low = Long.MAX_VALUE;
        long high = Long.MIN_VALUE;
        long bits = 0;
        for (int l = 0; l < Layout.LANES; l++) {
            if ((mask >>> l & 1) != 0) {
                low = Math.min(low, a[l]);
                high = Math.max(high, a[l]);
                bits |= a[l];
            }
        }
        if (mask == 0) {
            return;
        }
        Block block = w.block;
        Allocation hit = block.lastHit()[site];
        if (hit == null || low < hit.address() || high - hit.address() > hit.bytes() - bytes
                || (bits & bytes - 1) != 0) {
            checkLanes(w, mask, site, bytes, write);
        }
        if (block.profile() != null) {
            block.profile().global(site, a, mask, bytes, write);
        }
    }

    /**
     * As {@link #check} for copies of {@code bytes} of which lane l reads the first {@code lengths[l]} only.
     *
     * @param mask lanes that read something
     */
    static void checkParts(Warp w, int mask, int site, int bytes, int[] lengths) {
        int parts = 0;
        for (int l = 0; l < Layout.LANES; l++) {
            parts |= (mask >>> l & 1) != 0 && lengths[l] < bytes ? 1 << l : 0;
        }
        if (parts == 0) {
            check(w, mask, site, bytes, false);
            return;
        }
        checkLanes(w, mask & ~parts, site, bytes, false);
        for (int l = 0; l < Layout.LANES; l++) {
            if ((parts >>> l & 1) != 0) {
                checkLane(w, l, site, bytes, lengths[l], false);
            }
        }
        if (w.block.profile() != null) {
            w.block.profile().global(site, w.address, mask, bytes, false);
        }
    }

    /** Faults unless all bytes of a lane's bulk access are allocated; 0 bytes always are. */
    static void checkRange(Warp w, int lane, int site, long at, long bytes, boolean write) {
        Block block = w.block;
        Allocation hit = block.lastHit()[site];
        if (bytes == 0 || hit != null && hit.covers(at, bytes)) {
            return;
        }
        Allocation found = find(block, at);
        if (found == null || !found.covers(at, bytes)) {
            throw block.fault(Kind.OUT_OF_BOUNDS, site, w, lane, outside(block, at, (int) bytes, write));
        }
        block.lastHit()[site] = found;
    }

    private static void checkLanes(Warp w, int mask, int site, int bytes, boolean write) {
        for (int l = 0; l < Layout.LANES; l++) {
            if ((mask >>> l & 1) != 0) {
                checkLane(w, l, site, bytes, bytes, write);
            }
        }
    }

    private static void checkLane(Warp w, int lane, int site, int alignment, int bytes, boolean write) {
        Block block = w.block;
        long at = w.address[lane];
        Allocation found = find(block, at);
        if (found == null || !found.covers(at, bytes)) {
            throw block.fault(Kind.OUT_OF_BOUNDS, site, w, lane, outside(block, at, bytes, write));
        }
        if ((at & alignment - 1) != 0) {
            throw block.fault(Kind.MISALIGNED, site, w, lane, "global address 0x%x is not a multiple of %d"
                    .formatted(at, alignment));
        }
        block.lastHit()[site] = found;
    }

    private static Allocation find(Block block, long at) {
        Allocation found = block.memory().find(at);
        return found != null ? found : block.kernel().variables().memory().find(at);
    }

    private static String outside(Block block, long at, int bytes, boolean write) {
        var what = new StringBuilder("%s of %d bytes at global address 0x%x".formatted(
                write ? "write" : "read", bytes, at));
        if ((at & -GenericMemory.WINDOW) == GenericMemory.PARAMETERS) {
            return what.append(", which is one of a parameter of the kernel: these are constant").toString();
        }
        Allocation nearest = block.memory().nearest(at);
        if (nearest == null) {
            return what.append(", and nothing is allocated").toString();
        }
        long offset = at - nearest.address();
        what.append(offset < 0 ? ", %d bytes before".formatted(-offset)
                : offset >= nearest.bytes() ? ", %d bytes after the end of".formatted(offset - nearest.bytes())
                : ", at offset %d in".formatted(offset));
        return what.append(" the nearest allocation [0x%x, %d bytes]".formatted(nearest.address(), nearest.bytes()))
                .toString();
    }
}
