package jdiffusion.tensor;

/**
 * Something the user gave us cannot be used: a file, a size, an option.
 *
 * <p>The message is one line that says what, where, both values and what to do; the command line prints it as it
 * is and exits with 2. Mistakes of the program itself are never reported by this type.
 */
public final class InputException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public InputException(String message) {
        super(oneLine(message));
    }

    public InputException(String message, Throwable cause) {
        super(oneLine(message), cause);
    }

    /** Names from files can hold line breaks and control characters; a report stays on its one line. */
    private static String oneLine(String message) {
        return message.replaceAll("\\p{Cntrl}+", " ");
    }
}
