package jdiffusion.model;

import java.util.ArrayList;
import java.util.List;
import jdiffusion.emulator.EmulatorOptions;
import jdiffusion.emulator.driver.EmulatedDevice;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cuda.CudaBackend;
import jdiffusion.kernels.cuda.CudaOptions;
import org.junit.jupiter.api.Assumptions;

/** The CUDA backend on the emulated device, for tests of whole models. */
public final class EmulatedCuda implements AutoCloseable {
    private final EmulatedDevice device;
    private final List<CudaBackend> backends = new ArrayList<>();

    private EmulatedCuda(Precision precision, boolean check, int count) {
        device = EmulatedDevice.start(EmulatorOptions.defaults().withCheck(check),
                EmulatedDevice.DEFAULT_MEMORY_BYTES, count);
        try {
            for (int i = 0; i < count; i++) {
                int number = i;
                backends.add(CudaBackend.open(CudaOptions.defaults().withPrecision(precision).withOrdinal(i)
                        .withLastWords(_ -> device.takeFailure(number).map(Throwable::getMessage).orElse(null))));
            }
        } catch (RuntimeException e) {
            close();
            throw e;
        }
    }

    /**
     * Skips the test where there is no C compiler for the emulated device's driver.
     *
     * @param check whether the emulator looks for races and uninitialised memory, which takes it longer
     */
    public static EmulatedCuda open(Precision precision, boolean check) {
        return open(precision, check, 1);
    }

    /** Several devices. */
    public static EmulatedCuda open(Precision precision, boolean check, int count) {
        String obstacle = EmulatedDevice.obstacle();
        Assumptions.assumeFalse(obstacle != null && obstacle.contains("needs a C compiler"),
                () -> "skipped: " + obstacle);
        return new EmulatedCuda(precision, check, count);
    }

    public CudaBackend backend() {
        return backends.getFirst();
    }

    /** The second device. */
    public CudaBackend second() {
        return backends.get(1);
    }

    /** Bytes of device memory that are taken now. */
    public long allocatedBytes() {
        return device.allocatedBytes();
    }

    /** The most bytes of device memory that were taken at any time. */
    public long peakBytes() {
        return device.peakBytes();
    }

    /** The same of a device. */
    public long peakBytes(int number) {
        return device.peakBytes(number);
    }

    @Override
    public void close() {
        backends.forEach(CudaBackend::close);
        device.close();
    }
}
