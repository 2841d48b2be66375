package jdiffusion.kernels.machine;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Memory that Linux is asked to lay out in large pages (transparent huge pages, 2 MiB): then its first touch costs
 * little, and so do addresses far apart. It is zero, and taken from the system only as far as it is used.
 */
public final class LargePages implements AutoCloseable {
    /** Fewer than a few large pages are not worth it. */
    private static final long LEAST = 16L << 20;
    private static final int PROT_READ = 1;
    private static final int PROT_WRITE = 2;
    private static final int MAP_PRIVATE = 2;
    private static final int MAP_ANONYMOUS = 0x20;
    private static final int MADV_HUGEPAGE = 14;
    private static final long NO_FILE = -1;

    private final Arena arena = Arena.ofShared();
    private final MemorySegment memory;

    private LargePages(long address, long bytes) {
        memory = MemorySegment.ofAddress(address).reinterpret(bytes, arena, LargePages::unmap);
    }

    /**
     * @return null where memory should be taken from Java: this system has none of ours, or too little is wanted for
     *         large pages, or more than Java would give
     */
    public static LargePages of(long bytes) {
        if (bytes < LEAST || bytes > Runtime.getRuntime().maxMemory() || CodeMemory.obstacle() != null) {
            return null;
        }
        long address = Syscall.MMAP.call(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, NO_FILE, 0);
        if (address == Syscall.FAILED) {
            return null;
        }
        // A system without them refuses, and the pages stay small.
        Syscall.MADVISE.call(address, bytes, MADV_HUGEPAGE, 0, 0, 0);
        return new LargePages(address, bytes);
    }

    private static void unmap(MemorySegment pages) {
        if (Syscall.MUNMAP.call(pages.address(), pages.byteSize(), 0, 0, 0, 0) == Syscall.FAILED) {
            throw new IllegalStateException("munmap of " + pages + " failed");
        }
    }

    /** Valid until this is closed. */
    public MemorySegment memory() {
        return memory;
    }

    @Override
    public void close() {
        arena.close();
    }
}
