package jdiffusion.tensor;

/**
 * Something the user gave us cannot be used: a file, a size, an option.
 *
 * <p>The message is one line that says what, where, both values and what to do; the command line prints it as it
 * is and exits with 2. Mistakes of the program itself are never reported by this type.
 */
public class InputException extends RuntimeException {
    private static final long serialVersionUID = 1L;
    private static final int MOST_SHOWN = 120;

    public InputException(String message) {
        super(oneLine(message));
    }

    public InputException(String message, Throwable cause) {
        super(oneLine(message), cause);
    }

    /**
     * A name or text out of a file as it may stand in a message: printable ASCII, every other UTF-16 unit as
     * backslash-u and four digits, and the middle left out when it is long.
     */
    public static String shown(String text) {
        if (text.length() > MOST_SHOWN) {
            int half = MOST_SHOWN / 2;
            return escaped(text.substring(0, half)) + "..." + escaped(text.substring(text.length() - half));
        }
        return escaped(text);
    }

    private static String escaped(String text) {
        StringBuilder out = new StringBuilder(text.length());
        for (char c : text.toCharArray()) {
            if (c >= ' ' && c <= '~') {
                out.append(c);
            } else {
                out.append(String.format("\\u%04x", (int) c));
            }
        }
        return out.toString();
    }

    /** Paths can hold line breaks, control characters and marks that turn the writing direction. */
    private static String oneLine(String message) {
        return message.replaceAll("[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}]+", " ");
    }
}
