package jdiffusion.batch;

/** Where pictures go. A name that is there has all its bytes, whoever wrote it, and however often. For any thread. */
public interface PictureStore {
    /** Whether a picture is there. */
    boolean has(Planned picture);

    /**
     * Writes a picture: all of it or nothing.
     *
     * @return its size in bytes
     */
    long put(Planned picture, byte[] file);

    /** The bytes of one that is there. */
    long size(Planned picture);

    /** Where it is, for the manifest: relative to the place that the user named. */
    String place(Planned picture);
}
