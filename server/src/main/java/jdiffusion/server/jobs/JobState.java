package jdiffusion.server.jobs;

import java.util.Locale;

/** Where a job is; it goes from one to the next and never back. */
public enum JobState {
    QUEUED, GENERATING, COMPLETED, FAILED, CANCELLED;

    /** As clients know it. */
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    public boolean isEnd() {
        return this == COMPLETED || this == FAILED || this == CANCELLED;
    }
}
