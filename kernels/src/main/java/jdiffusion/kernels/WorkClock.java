package jdiffusion.kernels;

/** Tells when a backend's work was done: see {@link Backend#clock}. */
@FunctionalInterface
public interface WorkClock {
    /** A moment in the order of the work. */
    @FunctionalInterface
    interface Mark {
        /** When it was, as {@link System#nanoTime} counts; waits for the work before it. */
        long nanos();
    }

    /** The moment when all work that was asked for so far is done. */
    Mark mark();
}
