package jdiffusion.cli;

import java.util.Arrays;
import java.util.Locale;

/** Rate and latency of a stream: from when a frame was there to when its picture was written. */
final class StreamClock {
    /** Latencies that are kept, the latest ones. */
    private static final int MOST = 4096;

    private final long[] latencies = new long[MOST];
    private long first;
    private long last;
    private long written;
    private long similar;
    /** What was written, and until when, at the last report. */
    private long reported;
    private long reportedAt;

    /** @param now when the first frame began to be drawn */
    synchronized void started(long now) {
        if (first == 0) {
            first = now;
            last = now;
            reportedAt = now;
        }
    }

    /** @param arrived when the frame was there, by {@link System#nanoTime}, as {@code now} */
    synchronized void wrote(long arrived, long now) {
        latencies[(int) (written % MOST)] = now - arrived;
        written++;
        last = now;
    }

    synchronized void similar() {
        similar++;
    }

    /** A line on what was written since the last report; null while that is less than some time ago, or nothing was. */
    synchronized String report(long now, double seconds) {
        long since = written - reported;
        if (seconds <= 0 || now - reportedAt < seconds * 1e9 || since == 0) {
            return null;
        }
        String line = line(since, now - reportedAt);
        reported = written;
        reportedAt = now;
        return line;
    }

    /** All of it. */
    synchronized String summary(String frames) {
        return frames + (similar > 0 ? ", " + similar + " like the one before" : "") + ", " + written + " drawn"
                + (written == 0 ? "" : ": " + line(written, last - first));
    }

    private String line(long count, long nanos) {
        int n = (int) Math.min(count, MOST);
        long[] sorted = new long[n];
        for (int i = 0; i < n; i++) {
            sorted[i] = latencies[(int) ((written - 1 - i) % MOST)];
        }
        Arrays.sort(sorted);
        double rate = count / Math.max(1e-9, nanos / 1e9);
        return String.format(Locale.ROOT, rate < 1 ? "%.3f frames a second, latency %s ms median, %s ms 95 %%"
                : "%.1f frames a second, latency %s ms median, %s ms 95 %%", rate, millis(sorted[(n - 1) / 2]),
                millis(sorted[(int) Math.ceil(0.95 * n) - 1]));
    }

    private static String millis(long nanos) {
        return String.format(Locale.ROOT, nanos < 100_000_000 ? "%.1f" : "%.0f", nanos / 1e6);
    }
}
