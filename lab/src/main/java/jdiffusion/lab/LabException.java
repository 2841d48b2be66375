package jdiffusion.lab;

/** What a user asked for cannot be done, or a kernel did what it must not; the message is one line. */
public final class LabException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final boolean misuse;

    private LabException(String message, boolean misuse, Throwable cause) {
        super(message, cause);
        this.misuse = misuse;
    }

    /** What was given cannot be used. */
    static LabException misuse(String message) {
        return new LabException(message, true, null);
    }

    /** As {@link #misuse(String)}, because of something else that went wrong. */
    static LabException misuse(String message, Throwable cause) {
        return new LabException(message, true, cause);
    }

    /** The kernel is wrong: a fault, or results that are not those expected. */
    static LabException failed(String message, Throwable cause) {
        return new LabException(message, false, cause);
    }

    /** True where the input is at fault, false where the kernel is. */
    public boolean isMisuse() {
        return misuse;
    }
}
