package jdiffusion.emulator.driver;

import java.util.Optional;
import jdiffusion.emulator.DeviceFault;
import jdiffusion.emulator.DeviceMemory;
import jdiffusion.emulator.EmulatorOptions;
import jdiffusion.emulator.Executor;

/**
 * A CUDA device of compute capability 8.0 that is emulated on the CPU. While it is open, JCuda's driver calls in this
 * process reach it: {@code cuInit(0)} and so on, with device 0.
 *
 * <p>It must be opened before JCuda is used for the first time. One device is open at a time; after {@code close()}
 * another may be opened without a new {@code cuInit}, and handles and addresses of the closed one are invalid.
 *
 * <p>Give JCuda direct buffers, not arrays ({@code Pointer.to(float[])}): it pins an array in the heap for the length
 * of the call, and the call comes back into Java here. Where Java's part then needs a collection of a collector that
 * waits for the array (the serial and the parallel one do), the call never returns.
 *
 * <p>Kernels are synchronous: when a launch returns, its work is done. Errors of a kernel are returned by the launch
 * itself, not by a later call, and do not spoil the context.
 */
public final class EmulatedDevice implements AutoCloseable {
    /** Memory of the device unless told otherwise: 8 GiB, of which only what is allocated takes memory of the host. */
    public static final long DEFAULT_MEMORY_BYTES = 8L << 30;

    private final Executor executor;
    private final DeviceMemory memory;
    private final DriverCalls calls;
    private boolean closed;

    private EmulatedDevice(Executor executor, DeviceMemory memory) {
        this.executor = executor;
        this.memory = memory;
        this.calls = new DriverCalls(memory, executor);
    }

    /**
     * Opens the device; the first time for a user this compiles a small C file, which takes about a second.
     *
     * @param options     how kernels run; with {@code check} new device memory holds NaN in every float type, and
     *                    copies on a stream to or from pinned memory are made as late as CUDA's rules allow
     * @param memoryBytes size of the device's memory; allocations past it fail with CUDA_ERROR_OUT_OF_MEMORY
     * @throws EmulatorException when there is no C compiler, the system is not Linux, a CUDA driver is already in use
     *                           in this process, or an emulated device is already open
     */
    public static EmulatedDevice start(EmulatorOptions options, long memoryBytes) {
        if (memoryBytes <= 0) {
            throw new IllegalArgumentException("memory of the emulated device: " + memoryBytes + " bytes");
        }
        var memory = new DeviceMemory();
        var device = new EmulatedDevice(new Executor(memory, options), memory);
        try {
            DriverLibrary.open(device.calls, memoryBytes, options.check());
        } catch (RuntimeException | Error e) {
            device.executor.close();
            throw e;
        }
        return device;
    }

    /** Why no device can be opened on this machine; null when one can. May compile the stand-in driver to find out. */
    public static String obstacle() {
        try {
            DriverLibrary.prepare();
            return null;
        } catch (EmulatorException e) {
            return e.getMessage();
        }
    }

    /** What runs the kernels; it has the counters of the profile. */
    public Executor executor() {
        return executor;
    }

    /** Bytes of device memory that are allocated now. */
    public long allocatedBytes() {
        return memory.bytes();
    }

    /** The most bytes of device memory that were allocated at any time. */
    public long peakBytes() {
        return memory.peakBytes();
    }

    /**
     * Why a driver call failed, the latest failure that has not been taken: a {@code DeviceFault} with kernel, line,
     * block and lane when a launch stopped, a {@code PtxException} when a module was not understood, an
     * {@code IllegalArgumentException} when a call was refused, anything else when the emulator itself failed.
     */
    public Optional<Throwable> takeFailure() {
        return Optional.ofNullable(calls.takeFailure());
    }

    /** The first fault of a kernel since the device was opened; it stays after {@link #takeFailure()}. */
    public Optional<DeviceFault> fault() {
        return Optional.ofNullable(calls.fault());
    }

    /** Closes the device. No driver call may be running or follow. */
    @Override
    public void close() {
        if (!closed) {
            closed = true;
            DriverLibrary.close();
            executor.close();
        }
    }
}
