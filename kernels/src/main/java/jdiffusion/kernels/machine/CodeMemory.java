package jdiffusion.kernels.machine;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Machine code in pages of its own, which are written first and then made executable, never both at once.
 *
 * <p>The memory lives as long as this object is open. A call into it holds it open, and one after {@link #close} is an
 * {@link IllegalStateException}.
 */
final class CodeMemory implements AutoCloseable {
    private static final int PROT_READ = 1;
    private static final int PROT_WRITE = 2;
    private static final int PROT_EXEC = 4;
    private static final int MAP_PRIVATE = 2;
    private static final int MAP_ANONYMOUS = 0x20;
    private static final long NO_FILE = -1;
    /** Pages of Linux on x86-64. */
    private static final long PAGE = 4096;

    private final Arena arena = Arena.ofShared();
    private final MemorySegment code;

    /** @throws MachineCodeException when the system does not let memory become executable */
    CodeMemory(byte[] bytes) {
        try {
            code = map(Math.ceilDiv(bytes.length, PAGE) * PAGE);
            MemorySegment.copy(MemorySegment.ofArray(bytes), 0, code, 0, bytes.length);
            if (Syscall.MPROTECT.call(code.address(), code.byteSize(), PROT_READ | PROT_EXEC, 0, 0, 0) != 0) {
                throw new MachineCodeException("the system does not let memory become executable");
            }
        } catch (RuntimeException | Error e) {
            arena.close();
            throw e;
        }
    }

    /** Why this system, or this start of Java, has no machine code of ours; null when it has. */
    static String obstacle() {
        String os = System.getProperty("os.name");
        String arch = System.getProperty("os.arch");
        if (!os.equals("Linux") || !arch.equals("amd64")) {
            return "it is for Linux on x86-64, and this is " + os + " on " + arch;
        }
        if (!CodeMemory.class.getModule().isNativeAccessEnabled()) {
            return "Java was not started with --enable-native-access=ALL-UNNAMED";
        }
        return null;
    }

    private MemorySegment map(long size) {
        long address = Syscall.MMAP.call(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, NO_FILE, 0);
        if (address == Syscall.FAILED) {
            throw new MachineCodeException("the system has no memory for machine code");
        }
        return MemorySegment.ofAddress(address).reinterpret(size, arena, CodeMemory::unmap);
    }

    private static void unmap(MemorySegment pages) {
        if (Syscall.MUNMAP.call(pages.address(), pages.byteSize(), 0, 0, 0, 0) == Syscall.FAILED) {
            throw new IllegalStateException("munmap of " + pages + " failed");
        }
    }

    /** Where the code begins; also the address of its first function. */
    MemorySegment start() {
        return code;
    }

    @Override
    public void close() {
        arena.close();
    }
}
