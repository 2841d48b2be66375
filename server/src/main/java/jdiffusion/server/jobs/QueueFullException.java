package jdiffusion.server.jobs;

/** There is no room for another job, or the server is about to stop. */
public final class QueueFullException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final boolean stopping;
    private final int seconds;

    QueueFullException(String message, boolean stopping, int seconds) {
        super(message, null, false, false);
        this.stopping = stopping;
        this.seconds = seconds;
    }

    /** Whether the server takes no jobs any more. */
    public boolean isStopping() {
        return stopping;
    }

    /** Seconds after which there may be room. */
    public int seconds() {
        return seconds;
    }
}
