package jdiffusion.model.device;

import java.io.PrintStream;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;
import jdiffusion.emulator.EmulatorOptions;
import jdiffusion.emulator.ProfileReport;
import jdiffusion.emulator.driver.EmulatedDevice;
import jdiffusion.emulator.driver.EmulatorException;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.DeviceException;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.counting.CountingBackend;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.kernels.cuda.CudaBackend;
import jdiffusion.kernels.cuda.CudaDriver;
import jdiffusion.kernels.cuda.CudaOptions;
import jdiffusion.kernels.machine.CpuLevel;
import jdiffusion.tensor.InputException;

/** Turns a {@link DeviceChoice} and a precision into a backend: what is asked for, or nothing. */
public final class Devices {
    public static final String KNOWN = "use auto, cpu, cuda, cuda:N or emulated";
    private static final int MOST_THREADS = 1024;

    private Devices() {
    }

    /** A backend, and the emulated device under it where there is one; both closed together. */
    public record Opened(Backend backend, EmulatedDevice emulated, boolean profiled) implements AutoCloseable {
        /** What the kernels did so far; null when that was not asked for. */
        public ProfileReport profile() {
            return profiled ? ProfileReport.of(emulated.executor().counters().values()) : null;
        }

        public void printProfile(PrintStream out) {
            if (profiled) {
                out.println(profile().text());
            }
        }

        @Override
        public void close() {
            try {
                backend.close();
            } finally {
                if (emulated != null) {
                    emulated.close();
                }
            }
        }
    }

    /**
     * @param precision as the user gives it; null for the device's own: f32 on the CPU, bf16 on others
     * @param notes     told why auto leaves a CUDA device that is there unused
     * @throws InputException  when the choice contradicts itself
     * @throws DeviceException when the device cannot be used
     */
    public static Opened open(DeviceChoice o, String precision, Consumer<String> notes) {
        String device = o.device().toLowerCase(Locale.ROOT);
        checkEmulatorOptions(o, device);
        if (o.cpu() != null && !device.equals("cpu") && !device.equals("auto")) {
            throw new InputException("--cpu is for --device cpu, not for --device " + o.device());
        }
        int threads = threads(o);
        if (device.equals("cpu")) {
            return cpu(o, precision, threads);
        }
        if (device.equals("auto")) {
            return auto(o, precision, threads, notes);
        }
        if (device.equals("emulated")) {
            return emulated(o, precision, threads);
        }
        if (device.equals("cuda") || device.startsWith("cuda:")) {
            int ordinal = ordinal(o.device(), device);
            return new Opened(CudaBackend.open(cudaOptions(o, precision).withOrdinal(ordinal)), null, false);
        }
        throw new InputException("--device " + o.device() + " is unknown; " + KNOWN);
    }

    /** What would be opened, as a count of its memory: no device is needed, only the kind of one. */
    public static CountingBackend counting(DeviceChoice o, String precision) {
        String device = o.device().toLowerCase(Locale.ROOT);
        String obstacle = device.equals("auto") ? cudaObstacle() : null;
        boolean cpu = device.equals("cpu") || device.equals("auto") && (obstacle != null
                || precision != null && precision(precision) == Precision.F32);
        if (!cpu && !List.of("auto", "cuda", "emulated").contains(device) && !device.startsWith("cuda:")) {
            throw new InputException("--device " + o.device() + " is unknown; " + KNOWN);
        }
        if (cpu) {
            Precision onCpu = cpuPrecision(precision);
            return CountingBackend.ofCpu(onCpu, CpuBackend.operandType(onCpu, level(o.cpu())));
        }
        return CountingBackend.ofCuda(cudaOptions(o, precision).precision());
    }

    private static Opened auto(DeviceChoice o, String precision, int threads, Consumer<String> notes) {
        boolean onlyCpu = o.cpu() != null || precision != null && precision(precision) == Precision.F32;
        boolean onlyCuda = o.kernels() != null || !o.gemm().equals("own") || !o.conv().equals("own");
        if (onlyCpu && (!onlyCuda || o.cpu() != null)) {
            return cpu(o, precision, threads);
        }
        String obstacle = cudaObstacle();
        if (obstacle == null || onlyCuda) {
            return new Opened(CudaBackend.open(cudaOptions(o, precision)), null, false);
        }
        if (!obstacle.isEmpty()) {
            notes.accept("the CUDA device is not used: " + obstacle);
        }
        return cpu(o, precision, threads);
    }

    /** Why the first CUDA device cannot be used: null when it can, empty when there is no driver at all. */
    private static String cudaObstacle() {
        if (!CudaDriver.isInstalled()) {
            return "";
        }
        try {
            List<CudaDriver.Device> devices = CudaDriver.devices();
            return devices.isEmpty() ? "" : devices.getFirst().obstacle();
        } catch (DeviceException e) {
            return e.getMessage();
        }
    }

    private static Opened cpu(DeviceChoice o, String precision, int threads) {
        if (o.kernels() != null || !o.gemm().equals("own") || !o.conv().equals("own")) {
            throw new InputException("--kernels, --gemm and --conv are for CUDA devices, not for --device cpu");
        }
        return new Opened(new CpuBackend(threads, cpuPrecision(precision), level(o.cpu())), null, false);
    }

    private static Precision cpuPrecision(String precision) {
        Precision wanted = precision == null ? Precision.F32 : precision(precision);
        if (wanted == Precision.F16) {
            throw new InputException("--precision f16 is for CUDA devices; on the CPU use f32 or bf16");
        }
        return wanted;
    }

    /** The level that {@code --cpu} asks for; null when it does not. */
    private static CpuLevel level(String label) {
        if (label == null) {
            return null;
        }
        for (CpuLevel level : CpuLevel.values()) {
            if (level.label().equals(label.toLowerCase(Locale.ROOT))) {
                if (level.obstacle() != null) {
                    throw new InputException("--cpu " + label + " cannot be used: " + level.obstacle());
                }
                return level;
            }
        }
        throw new InputException("--cpu " + label + " is unknown; use amx, avx512bf16, avx512, avx2 or vector");
    }

    private static Opened emulated(DeviceChoice o, String precision, int threads) {
        CudaOptions options = cudaOptions(o, precision);
        EmulatedDevice device;
        try {
            device = EmulatedDevice.start(new EmulatorOptions(o.check(), o.profile(), o.seed(), threads),
                    o.memory() == null ? EmulatedDevice.DEFAULT_MEMORY_BYTES : o.memory());
        } catch (EmulatorException e) {
            throw new DeviceException(e.getMessage(), e);
        }
        try {
            return new Opened(CudaBackend.open(options.withLastWords(
                    () -> device.takeFailure().map(Throwable::getMessage).orElse(null))), device, o.profile());
        } catch (RuntimeException e) {
            device.close();
            throw e;
        }
    }

    private static CudaOptions cudaOptions(DeviceChoice o, String precision) {
        Precision wanted = precision == null ? Precision.BF16 : precision(precision);
        if (wanted == Precision.F32) {
            throw new InputException("--precision f32 is for the CPU; CUDA devices compute products in bf16 or f16");
        }
        return CudaOptions.defaults().withPrecision(wanted).withKernels(o.kernels())
                .withLibraries(isLibrary("--gemm", o.gemm(), "cublas"), isLibrary("--conv", o.conv(), "cudnn"));
    }

    private static boolean isLibrary(String option, String value, String library) {
        if (!value.equals("own") && !value.equals(library)) {
            throw new InputException(option + " " + value + " is unknown; use own or " + library);
        }
        return value.equals(library);
    }

    private static int ordinal(String given, String device) {
        if (device.equals("cuda")) {
            return 0;
        }
        String number = device.substring("cuda:".length());
        if (!number.matches("[0-9]{1,9}")) {
            throw new InputException("--device " + given + " is unknown; " + KNOWN);
        }
        return Integer.parseInt(number);
    }

    private static void checkEmulatorOptions(DeviceChoice o, String device) {
        if ((o.check() || o.profile() || o.seed() != 0 || o.memory() != null) && !device.equals("emulated")) {
            throw new InputException("the options --emulator-... need --device emulated");
        }
    }

    private static int threads(DeviceChoice o) {
        int count = o.threads() == null ? Runtime.getRuntime().availableProcessors() : o.threads();
        if (count < 1 || count > MOST_THREADS) {
            throw new InputException("--threads is " + count + "; use 1 to " + MOST_THREADS);
        }
        return count;
    }

    public static Precision precision(String label) {
        return switch (label.toLowerCase(Locale.ROOT)) {
            case "f32" -> Precision.F32;
            case "bf16" -> Precision.BF16;
            case "f16" -> Precision.F16;
            default -> throw new InputException("precision '" + label + "' is unknown; use f32, bf16 or f16");
        };
    }

    public static String label(Precision precision) {
        return precision.name().toLowerCase(Locale.ROOT);
    }
}
