package jdiffusion.kernels.machine;

/** The system or the CPU does not run our machine code; the message is one line for the user. */
public final class MachineCodeException extends RuntimeException {
    private static final long serialVersionUID = 1;

    public MachineCodeException(String message) {
        super(message);
    }
}
