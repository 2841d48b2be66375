package jdiffusion.kernels.machine;

/** What a CPU, or the system, would end the program for, or what the interpreter does not know. */
final class MachineFault extends RuntimeException {
    private static final long serialVersionUID = 1;

    MachineFault(String message) {
        super(message);
    }
}
