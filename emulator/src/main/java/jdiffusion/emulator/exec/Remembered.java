package jdiffusion.emulator.exec;

/**
 * Whether an earlier access comes before the one that is looked at. The answer is remembered for the next cell of
 * memory, which mostly has the same one.
 */
final class Remembered {
    /** What no access is. */
    private static final long NONE = -1;

    private final Order order;
    private final AccessCode code;
    private long access = NONE;
    private boolean before;

    Remembered(Order order, AccessCode code) {
        this.order = order;
        this.code = code;
    }

    /** Another access is looked at from now on. */
    void forget() {
        access = NONE;
    }

    /** {@code thread} is that of the access that is looked at. */
    boolean isBefore(long earlier, int thread) {
        if (earlier != access) {
            access = earlier;
            before = order.isBefore(code.thread(earlier), AccessCode.number(earlier), thread);
        }
        return before;
    }
}
