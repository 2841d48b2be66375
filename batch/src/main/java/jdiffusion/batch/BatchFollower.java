package jdiffusion.batch;

/** Follows a run. Calls come from two threads, one at a time. */
public interface BatchFollower {
    /** Follows nothing. */
    BatchFollower NONE = new BatchFollower() {
    };

    /** A picture was drawn and is written. */
    default void drawn(Outcome outcome) {
    }

    /** A picture was there before, or is that of an equal row. */
    default void kept(Outcome outcome) {
    }

    /** A picture will not be there. */
    default void failed(Outcome outcome) {
    }
}
