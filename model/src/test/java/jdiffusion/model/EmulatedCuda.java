package jdiffusion.model;

import jdiffusion.emulator.EmulatorOptions;
import jdiffusion.emulator.driver.EmulatedDevice;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cuda.CudaBackend;
import jdiffusion.kernels.cuda.CudaOptions;
import org.junit.jupiter.api.Assumptions;

/** The CUDA backend on the emulated device, for tests of whole models. */
public final class EmulatedCuda implements AutoCloseable {
    private final EmulatedDevice device;
    private final CudaBackend backend;

    private EmulatedCuda(Precision precision, boolean check) {
        device = EmulatedDevice.start(EmulatorOptions.defaults().withCheck(check),
                EmulatedDevice.DEFAULT_MEMORY_BYTES);
        try {
            backend = CudaBackend.open(CudaOptions.defaults().withPrecision(precision).withLastWords(
                    () -> device.takeFailure().map(Throwable::getMessage).orElse(null)));
        } catch (RuntimeException e) {
            device.close();
            throw e;
        }
    }

    /**
     * Skips the test where there is no C compiler for the emulated device's driver.
     *
     * @param check whether the emulator looks for races and uninitialised memory, which takes it longer
     */
    public static EmulatedCuda open(Precision precision, boolean check) {
        String obstacle = EmulatedDevice.obstacle();
        Assumptions.assumeFalse(obstacle != null && obstacle.contains("needs a C compiler"),
                () -> "skipped: " + obstacle);
        return new EmulatedCuda(precision, check);
    }

    public CudaBackend backend() {
        return backend;
    }

    /** Bytes of device memory that are taken now. */
    public long allocatedBytes() {
        return device.allocatedBytes();
    }

    /** The most bytes of device memory that were taken at any time. */
    public long peakBytes() {
        return device.peakBytes();
    }

    @Override
    public void close() {
        backend.close();
        device.close();
    }
}
