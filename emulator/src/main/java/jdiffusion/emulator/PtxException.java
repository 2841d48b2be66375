package jdiffusion.emulator;

/** PTX text that cannot be translated; the message names its origin, the line and the line's text. */
public final class PtxException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final int line;

    public PtxException(String message, int line) {
        super(message);
        this.line = line;
    }

    /** Line of the PTX text, from 1; 0 when no single line is at fault. */
    public int line() {
        return line;
    }
}
