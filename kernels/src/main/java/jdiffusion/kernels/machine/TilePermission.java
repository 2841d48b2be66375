package jdiffusion.kernels.machine;

/**
 * Linux saves AMX's tiles only for processes that asked (Documentation/arch/x86/xstate.rst of its sources): they make
 * what a signal puts on a thread's stack eight KiB larger. The permission is for all threads, those that run already
 * and those to come, and stays; asking again does no harm. It is refused by a CPU or a Linux without tiles, and while a
 * thread has an alternate stack for signals that is too small.
 */
final class TilePermission {
    private static final int ARCH_REQ_XCOMP_PERM = 0x1023;
    /** The number of the tiles' data among the parts of a thread's state. */
    private static final int XFEATURE_XTILEDATA = 18;

    private TilePermission() {
    }

    /** Whether this process may use tiles from now on. */
    static boolean ask() {
        return Syscall.ARCH_PRCTL.call(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA, 0, 0, 0, 0) == 0;
    }
}
