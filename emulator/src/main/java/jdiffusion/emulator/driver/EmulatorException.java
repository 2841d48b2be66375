package jdiffusion.emulator.driver;

/** The emulated device cannot be opened; the message is one line for the user and says what to do. */
public final class EmulatorException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    EmulatorException(String message) {
        super(message);
    }

    EmulatorException(String message, Throwable cause) {
        super(message, cause);
    }
}
