package jdiffusion.kernels;

/**
 * A device failed or cannot be used: no driver, out of its memory, a fault in a kernel.
 *
 * <p>The message is one line that says what was being done, with shapes and the kernel's name, and what the device
 * said. The work is lost; it is never done elsewhere instead.
 */
public class DeviceException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public DeviceException(String message) {
        super(message);
    }

    public DeviceException(String message, Throwable cause) {
        super(message, cause);
    }
}
