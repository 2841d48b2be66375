package jdiffusion.emulator.driver;

import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;
import jdiffusion.emulator.DeviceFault;
import jdiffusion.emulator.DeviceMemory;
import jdiffusion.emulator.EmulatorOptions;
import jdiffusion.emulator.Executor;

/**
 * A CUDA device of compute capability 8.0, or 8.9 or 9.0 where the options say so, that is emulated on the CPU, or
 * several of them with memory of their own.
 * While it is open, JCuda's driver calls in this process reach it: {@code cuInit(0)} and so on, with devices from 0 on.
 * What is of one device, its memory, modules and streams, cannot be used with another.
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
    /** As many as cuda.c has room for. */
    private static final int MOST_DEVICES = 8;

    private final List<Device> devices;
    private boolean closed;

    /** One of the devices. */
    private record Device(Executor executor, DriverCalls calls) {
    }

    private EmulatedDevice(EmulatorOptions options, int count) {
        devices = Stream.generate(() -> {
            var memory = new DeviceMemory();
            var executor = new Executor(memory, options);
            return new Device(executor, new DriverCalls(memory, executor));
        }).limit(count).toList();
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
        return start(options, memoryBytes, 1);
    }

    /**
     * The same with several devices, up to 8.
     *
     * @param memoryBytes size of each one's memory
     */
    public static EmulatedDevice start(EmulatorOptions options, long memoryBytes, int count) {
        if (memoryBytes <= 0) {
            throw new IllegalArgumentException("memory of the emulated device: " + memoryBytes + " bytes");
        }
        if (count < 1 || count > MOST_DEVICES) {
            throw new IllegalArgumentException(count + " emulated devices; there may be 1 to " + MOST_DEVICES);
        }
        var device = new EmulatedDevice(options, count);
        try {
            DriverLibrary.open(device.devices.stream().map(Device::calls).toList(), memoryBytes,
                    options);
        } catch (RuntimeException | Error e) {
            device.devices.forEach(one -> one.executor.close());
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

    /** What runs the kernels of the first device; it has the counters of the profile. */
    public Executor executor() {
        return devices.getFirst().executor;
    }

    /** Bytes of memory that are allocated now, of all devices. */
    public long allocatedBytes() {
        return devices.stream().mapToLong(device -> device.executor.memory().bytes()).sum();
    }

    /** The most bytes of the first device's memory that were allocated at any time. */
    public long peakBytes() {
        return peakBytes(0);
    }

    /** The same of a device. */
    public long peakBytes(int number) {
        return devices.get(number).executor.memory().peakBytes();
    }

    /**
     * Why a driver call of the first device failed, the latest failure that has not been taken: a {@code DeviceFault}
     * with kernel, line, block and lane when a launch stopped, a {@code PtxException} when a module was not understood,
     * an {@code IllegalArgumentException} when a call was refused, anything else when the emulator itself failed.
     */
    public Optional<Throwable> takeFailure() {
        return takeFailure(0);
    }

    /** The same of a device. */
    public Optional<Throwable> takeFailure(int number) {
        return Optional.ofNullable(devices.get(number).calls.takeFailure());
    }

    /** The first fault of a kernel since the devices were opened; it stays after {@link #takeFailure()}. */
    public Optional<DeviceFault> fault() {
        return devices.stream().map(device -> device.calls.fault()).filter(Objects::nonNull).findFirst();
    }

    /** Closes all devices. No driver call may be running or follow. */
    @Override
    public void close() {
        if (!closed) {
            closed = true;
            DriverLibrary.close();
            devices.forEach(device -> device.executor.close());
        }
    }
}
