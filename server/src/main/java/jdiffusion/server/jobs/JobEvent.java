package jdiffusion.server.jobs;

import jdiffusion.model.image.Picture;

/** Something that happened to a job. */
public sealed interface JobEvent {
    /** @param place in the queue: 1 is drawn next */
    record Queued(int place) implements JobEvent {
    }

    /** @param image the picture that is drawn, from 0; for the stages before the first, too */
    record Stage(int image, String name) implements JobEvent {
    }

    /**
     * An evaluation of the denoiser is done.
     *
     * @param done    of this picture
     * @param total   of this picture
     * @param seconds that all pictures' evaluations which are left will take
     */
    record Step(int image, int done, int total, double seconds) implements JobEvent {
    }

    /** How far a picture is after some evaluations, in a small picture. */
    record Preview(int image, int done, int total, Picture picture) implements JobEvent {
    }

    /** Something the client should know. */
    record Note(String text) implements JobEvent {
    }

    /** A picture is there. */
    record Drawn(JobPicture picture) implements JobEvent {
    }

    /** @param error why it ended; null where it was completed */
    record Ended(JobState state, String error) implements JobEvent {
    }
}
