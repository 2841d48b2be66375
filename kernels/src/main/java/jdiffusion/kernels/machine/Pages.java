package jdiffusion.kernels.machine;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** What a program can ask of Linux about its memory, and Java does not. */
public final class Pages {
    private static final int PROT_READ = 1;
    private static final int PROT_WRITE = 2;
    private static final int MAP_PRIVATE = 2;
    private static final int MAP_ANONYMOUS = 0x20;
    private static final int MADV_WILLNEED = 3;
    private static final int MADV_HUGEPAGE = 14;
    private static final long NO_FILE = -1;
    /** Of Linux on x86-64. */
    private static final long PAGE = 4096;
    /** Of the larger kind, and what is too little for them. */
    private static final long LARGE_PAGE = 2L << 20;
    private static final long LEAST_LARGE = 1L << 19;
    private static final long LINE = 64;
    /** Java's own zeros cost little below it. */
    private static final long LEAST_ZEROS = 16L << 20;

    private Pages() {
    }

    /**
     * Zeros, aligned to 64 bytes or better, that live as long as the arena. The system makes each page zero when it is
     * first touched; Java's own allocation writes all of them at once, which for the temporaries of a large picture
     * takes longer than what comes before the first step. What is too little for large pages comes
     * from Java, and so does what is more than it would give: the system gives it and takes the program away later.
     *
     * @throws OutOfMemoryError when there is not enough memory
     */
    public static MemorySegment zeros(long bytes, Arena arena) {
        if (bytes < LEAST_ZEROS || bytes > Runtime.getRuntime().maxMemory() || CodeMemory.obstacle() != null) {
            return arena.allocate(bytes, LINE);
        }
        MemorySegment pages = map(bytes, arena);
        if (pages == null) {
            throw new OutOfMemoryError("the system has no " + bytes + " bytes");
        }
        return pages;
    }

    /**
     * Memory for machine code to work in, zeros, aligned to a cache line, and where it is much and the system has them
     * to a large page, in such pages; lives as long as the arena.
     *
     * @throws OutOfMemoryError when there is not enough memory
     */
    public static MemorySegment large(long bytes, Arena arena) {
        MemorySegment pages = bytes < LEAST_LARGE || CodeMemory.obstacle() != null ? null : map(bytes, arena);
        return pages != null ? pages : arena.allocate(bytes, LINE);
    }

    /** Memory from the system that begins at a large page; null where it has not that much. */
    private static MemorySegment map(long bytes, Arena arena) {
        long size = Math.ceilDiv(bytes, LARGE_PAGE) * LARGE_PAGE;
        long all = size + LARGE_PAGE - PAGE;
        long address = Syscall.MMAP.call(0, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, NO_FILE, 0);
        if (address == Syscall.FAILED) {
            return null;
        }
        long start = Math.ceilDiv(address, LARGE_PAGE) * LARGE_PAGE;
        // A wish for fewer, larger pages; where the system does not grant it, nothing is lost.
        Syscall.MADVISE.call(start, size, MADV_HUGEPAGE, 0, 0, 0);
        return MemorySegment.ofAddress(address).reinterpret(all, arena,
                pages -> Syscall.MUNMAP.call(pages.address(), all, 0, 0, 0, 0)).asSlice(start - address, bytes);
    }

    /**
     * Has the system read a part of a mapped file in the background, where it can; returns at once.
     *
     * @param part mapped memory that is still valid
     * @return whether it does
     */
    public static boolean willRead(MemorySegment part) {
        if (CodeMemory.obstacle() != null) {
            return false;
        }
        long start = part.address() / PAGE * PAGE;
        long bytes = part.address() + part.byteSize() - start;
        return Syscall.MADVISE.call(start, bytes, MADV_WILLNEED, 0, 0, 0) != Syscall.FAILED;
    }
}
