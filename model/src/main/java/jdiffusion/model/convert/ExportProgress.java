package jdiffusion.model.convert;

/** Follows the writing of a model. */
public interface ExportProgress {
    /** Nobody looks. */
    ExportProgress NONE = new ExportProgress() { };

    /** All is planned, and so many bytes of tensors are going to be written. */
    default void started(long bytes) {
    }

    /** So many bytes more have been written. */
    default void written(long bytes) {
    }

    /** Something that the user should know, on one line. */
    default void note(String line) {
    }
}
