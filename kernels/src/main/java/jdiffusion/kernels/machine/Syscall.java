package jdiffusion.kernels.machine;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.invoke.MethodHandle;

/**
 * Calls of Linux on x86-64 by number. All go through the one function {@code syscall} of the C library, since Java
 * takes several milliseconds for each function of another type.
 */
enum Syscall {
    MMAP(9), MPROTECT(10), MUNMAP(11), MADVISE(28), ARCH_PRCTL(158);

    /** The result of every call that failed. */
    static final long FAILED = -1;

    private final long number;

    Syscall(long number) {
        this.number = number;
    }

    private static final class Function {
        private static final MethodHandle HANDLE = Linker.nativeLinker().downcallHandle(
                Linker.nativeLinker().defaultLookup().findOrThrow("syscall"), FunctionDescriptor.of(JAVA_LONG,
                        JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG),
                Linker.Option.firstVariadicArg(1));
    }

    long call(long a, long b, long c, long d, long e, long f) {
        try {
            return (long) Function.HANDLE.invokeExact(number, a, b, c, d, e, f);
        } catch (RuntimeException | Error thrown) {
            throw thrown;
        } catch (Throwable thrown) {
            throw new IllegalStateException(thrown);
        }
    }
}
