package jdiffusion.kernels.cuda;

import static jcuda.driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR;
import static jcuda.driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR;
import static jcuda.driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT;

import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import jcuda.CudaException;
import jcuda.driver.CUdevice;
import jcuda.driver.JCudaDriver;
import jdiffusion.kernels.DeviceException;

/** NVIDIA's driver: whether it is here, and which devices it offers. Loaded when first asked for. */
public final class CudaDriver {
    /** The kernels use bfloat16 tensor cores and asynchronous copies. */
    private static final int LEAST_MAJOR = 8;
    /** CUDA 11.8, driver 520: the first that reads PTX 7.8. */
    static final int LEAST_VERSION = 11_080;
    /** CUDA 12.0, driver 525: the first that reads PTX 8.0 and describes tensors to the TMA. */
    private static final int LEAST_VERSION_SM_90 = 12_000;
    private static final boolean SM_90 = !"false".equals(System.getProperty("jdiffusion.cuda.sm90"));
    /** The first whose tensor cores multiply float8. */
    private static final int LEAST_CAPABILITY_FLOAT8 = 89;
    /** CUDA 12.4, driver 550: the first that reads PTX 8.4, which has {@code mma} of float8. */
    static final int LEAST_VERSION_FLOAT8 = 12_040;
    private static boolean loaded;

    private CudaDriver() {
    }

    /**
     * What a device is, and why it cannot be used.
     *
     * @param kernels  for what its larger products are compiled, in words
     * @param obstacle null when it can be used
     */
    public record Device(int ordinal, String name, int major, int minor, int multiprocessors, long memoryBytes,
                         String kernels, String obstacle) {
    }

    /** Loads the driver, once. Fails in one line when there is none or it does not start. */
    static synchronized void load() {
        if (loaded) {
            return;
        }
        if (!isInstalled()) {
            throw new DeviceException(notInstalled());
        }
        try {
            JCudaDriver.setExceptionsEnabled(true);
            JCudaDriver.cuInit(0);
        } catch (CudaException e) {
            throw new DeviceException("NVIDIA's driver does not start: " + e.getMessage().strip(), e);
        } catch (UnsatisfiedLinkError | NoClassDefFoundError e) {
            throw new DeviceException("the bindings to NVIDIA's driver do not load on this platform ("
                    + System.getProperty("os.name") + " " + System.getProperty("os.arch") + "): "
                    + String.valueOf(e.getMessage()).lines().findFirst().orElse(""), e);
        }
        loaded = true;
    }

    /** Whether the driver's library is on this machine. Tells in a moment, and loads nothing else. */
    public static boolean isInstalled() {
        try (Arena arena = Arena.ofConfined()) {
            SymbolLookup.libraryLookup(library(), arena);
            return true;
        } catch (IllegalArgumentException _) {
            return false;
        }
    }

    /** What to say when it is not. */
    public static String notInstalled() {
        return "there is no NVIDIA driver on this machine (" + library() + " was not found); install one, or use"
                + " --device cpu";
    }

    static String library() {
        boolean windows = System.getProperty("os.name").toLowerCase(Locale.ROOT).contains("windows");
        return windows ? "nvcuda.dll" : "libcuda.so.1";
    }

    /** All devices. Fails in one line when there is no driver. */
    public static List<Device> devices() {
        load();
        List<Device> devices = new ArrayList<>();
        try {
            for (int i = 0; i < deviceCount(); i++) {
                CUdevice device = new CUdevice();
                JCudaDriver.cuDeviceGet(device, i);
                int major = attribute(device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
                int minor = attribute(device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
                long[] bytes = new long[1];
                JCudaDriver.cuDeviceTotalMem(bytes, device);
                devices.add(new Device(i, name(device), major, minor,
                        attribute(device, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT), bytes[0], kernels(major, minor),
                        obstacle(major, minor, driverVersion())));
            }
        } catch (CudaException e) {
            throw new DeviceException("NVIDIA's driver does not tell its devices: " + e.getMessage().strip(), e);
        }
        return devices;
    }

    /** The highest CUDA version that the driver knows, in words. */
    public static String version() {
        return "a driver for CUDA " + words(driverVersion());
    }

    /** 12040 for CUDA 12.4. */
    private static int driverVersion() {
        int[] version = new int[1];
        JCudaDriver.cuDriverGetVersion(version);
        return version[0];
    }

    private static String words(int version) {
        return version / 1000 + "." + version % 1000 / 10;
    }

    /** Whether kernels for compute capability 9.0 alone run on a device. */
    static boolean takesSm90(int major, int minor) {
        return major == 9 && minor == 0 && sm90Obstacle() == null;
    }

    /** Which kernels a device's products run, in words. */
    static String kernels(int major, int minor) {
        if (major != 9 || minor != 0) {
            return "kernels for sm_80";
        }
        String obstacle = sm90Obstacle();
        return obstacle == null ? "kernels for sm_90a" : "kernels for sm_80 (" + obstacle + ")";
    }

    /** Why no device of compute capability 9.0 runs its own kernels; null when they do. */
    private static String sm90Obstacle() {
        if (!SM_90) {
            return "-Djdiffusion.cuda.sm90=false";
        }
        int version = driverVersion();
        if (version < LEAST_VERSION_SM_90) {
            return "its driver knows CUDA up to " + words(version) + ", those for sm_90a need "
                    + words(LEAST_VERSION_SM_90);
        }
        return TensorMaps.areIn(library()) ? null : "its driver has no cuTensorMapEncodeTiled";
    }

    static int deviceCount() {
        int[] count = new int[1];
        try {
            JCudaDriver.cuDeviceGetCount(count);
        } catch (CudaException e) {
            throw new DeviceException("NVIDIA's driver finds no device: " + e.getMessage().strip(), e);
        }
        return count[0];
    }

    static String name(CUdevice device) {
        byte[] bytes = new byte[256];
        JCudaDriver.cuDeviceGetName(bytes, bytes.length, device);
        return new String(bytes, StandardCharsets.US_ASCII).replace("\0", "").strip();
    }

    static int attribute(CUdevice device, int attribute) {
        int[] value = new int[1];
        JCudaDriver.cuDeviceGetAttribute(value, attribute, device);
        return value[0];
    }

    static void requireCapability(String name, int major, int minor) {
        String obstacle = obstacle(major, minor, driverVersion());
        if (obstacle != null) {
            throw new DeviceException(name + " cannot be used: " + obstacle);
        }
    }

    static void requireFloat8(String name, int major, int minor) {
        String obstacle = float8Obstacle(major, minor, driverVersion());
        if (obstacle != null) {
            throw new DeviceException("--precision fp8 cannot be used on " + name + ": " + obstacle
                    + ", or use --precision bf16");
        }
    }

    /** Why a device does not run the kernels for float8; null when it does. */
    static String float8Obstacle(int major, int minor, int version) {
        if (10 * major + minor < LEAST_CAPABILITY_FLOAT8) {
            return "it has compute capability " + major + "." + minor + "; products of float8 need 8.9 (RTX 40 series)"
                    + " or newer: use such a card";
        }
        return version >= LEAST_VERSION_FLOAT8 ? null : "its driver knows CUDA up to " + words(version)
                + "; products of float8 need " + words(LEAST_VERSION_FLOAT8) + " (driver 550) or newer: install one";
    }

    /** @param version of CUDA that the driver knows, 11080 for 11.8 */
    static String obstacle(int major, int minor, int version) {
        if (major < LEAST_MAJOR) {
            return "it has compute capability " + major + "." + minor + "; the kernels need " + LEAST_MAJOR
                    + ".0 (RTX 30 series, A100) or newer";
        }
        return version >= LEAST_VERSION ? null : "its driver knows CUDA up to " + words(version) + "; the kernels need "
                + words(LEAST_VERSION) + " (driver 520) or newer: install one";
    }
}
