package jdiffusion.emulator.exec;

/**
 * What is known of an access of shared memory, in 64 bits: its number in {@link Order} above all, so that later ones are
 * greater, thread, site, and two flags. Threads have as many bits as the launch needs, sites the rest.
 */
final class AccessCode {
    static final long ATOMIC_FLAG = 1;
    static final long UNDER_WAY = 2;
    private static final int NUMBER_SHIFT = 32;
    private static final int SITE_SHIFT = 2;

    private final int threadShift;
    private final int mostSites;

    /** @param parties that numbers of threads are below of */
    AccessCode(int parties) {
        this.threadShift = NUMBER_SHIFT - (Integer.SIZE - Integer.numberOfLeadingZeros(parties));
        this.mostSites = 1 << threadShift - SITE_SHIFT;
    }

    int mostSites() {
        return mostSites;
    }

    long of(int number, int site, int thread) {
        return (long) number << NUMBER_SHIFT | (long) site << SITE_SHIFT | (long) thread << threadShift;
    }

    static int number(long access) {
        return (int) (access >>> NUMBER_SHIFT);
    }

    int site(long access) {
        return (int) (access >>> SITE_SHIFT) & mostSites - 1;
    }

    int thread(long access) {
        return (int) (access >>> threadShift) & (1 << NUMBER_SHIFT - threadShift) - 1;
    }

    /** Neither atomic nor under way. */
    static boolean isPlain(long access) {
        return (access & (ATOMIC_FLAG | UNDER_WAY)) == 0;
    }

    /** Whether an access is a reduction that is under way. */
    static boolean isReducing(long access) {
        return (access & (ATOMIC_FLAG | UNDER_WAY)) == (ATOMIC_FLAG | UNDER_WAY);
    }
}
