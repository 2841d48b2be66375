package jdiffusion.kernels;

/** Bytes that were taken of a device's memory, now and at the most. */
public final class MemoryCount {
    private long live;
    private long peak;

    public void add(long bytes) {
        live += bytes;
        peak = Math.max(peak, live);
    }

    public void remove(long bytes) {
        live -= bytes;
    }

    public long live() {
        return live;
    }

    /** The most since the beginning or the last {@link #restart}, and in a run around the one that restarted. */
    public long peak() {
        return peak;
    }

    /** Counts the peak anew, from what is in use now. */
    public void restart() {
        peak = live;
    }

    /** Goes on with the count that was interrupted by {@link #restart}. */
    public void resume(long peakBefore) {
        peak = Math.max(peak, peakBefore);
    }
}
