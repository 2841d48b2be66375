package jdiffusion.model.device;

import java.io.PrintStream;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.Stream;
import jdiffusion.emulator.DeviceFault;
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
import jdiffusion.kernels.cuda.KernelPlaces;
import jdiffusion.kernels.machine.CpuLevel;
import jdiffusion.tensor.InputException;

/** Turns a {@link DeviceChoice} and a precision into a backend: what is asked for, or nothing. */
public final class Devices {
    static final String KNOWN = "use auto, cpu, cuda, cuda:N or emulated";
    private static final int MOST_THREADS = 1024;

    private Devices() {
    }

    /**
     * A backend, and the emulated device under it where there is one; all closed together.
     *
     * @param second a second one of the same kind; null where one is asked for
     */
    public record Opened(Backend backend, Backend second, EmulatedDevice emulated, boolean profiled)
            implements AutoCloseable {
        /** In words. */
        public String describe() {
            return backend.describe() + (second == null ? "" : "; " + second.describe());
        }

        /** What the kernels did so far; null when that was not asked for. */
        public ProfileReport profile() {
            return profiled ? ProfileReport.of(emulated.executor().counters().values()) : null;
        }

        /** The first fault of a kernel, in words. */
        public Optional<String> fault() {
            return emulated.fault().map(fault -> words(fault, kernelPlaces()));
        }

        /** Where kernels come from; of a device that has some. */
        public KernelPlaces kernelPlaces() {
            return ((CudaBackend) backend).kernelPlaces();
        }

        public void printProfile(PrintStream out) {
            if (profiled) {
                out.println(profile().text());
            }
        }

        @Override
        public void close() {
            try (emulated; backend; second) {
                // Closed from right to left, each also when another fails; null ones are passed over.
            }
        }
    }

    /**
     * One device.
     *
     * @param precision as the user gives it; null for the device's own: f32 on the CPU, bf16 on others
     * @param notes     told why auto leaves a CUDA device that is there unused
     * @throws InputException  when the choice contradicts itself
     * @throws DeviceException when the device cannot be used
     */
    public static Opened open(DeviceChoice o, String precision, Consumer<String> notes) {
        checkOne(o);
        return openAll(o, precision, notes);
    }

    private static void checkOne(DeviceChoice o) {
        if (DeviceNames.of(o.device()).isPair()) {
            throw new InputException("--device " + o.device() + ": two devices are for the two branches of guidance, in"
                    + " 'generate' and 'plan'; name one");
        }
    }

    /** One device, or two for the branches of guidance. */
    public static Opened openAll(DeviceChoice o, String precision, Consumer<String> notes) {
        DeviceNames names = DeviceNames.of(o.device());
        checkEmulatorOptions(o, names);
        boolean cpu = names.kind().equals("cpu");
        if (o.cpu() != null && !cpu && !names.kind().equals("auto")) {
            throw new InputException("--cpu is for --device cpu, not for --device " + o.device());
        }
        int threads = threads(o);
        return switch (names.kind()) {
            case "cpu" -> cpu(o, precision, threads);
            case "auto" -> auto(o, precision, threads, notes);
            case "emulated" -> emulated(o, names, precision, threads);
            default -> cuda(cudaOptions(o, precision), names, null, false, notes);
        };
    }

    /**
     * @param emulated closed with what is opened
     * @param notes    told of two devices that may differ in their numbers
     */
    private static Opened cuda(CudaOptions options, DeviceNames names, EmulatedDevice emulated, boolean profiled,
                               Consumer<String> notes) {
        CudaBackend first = CudaBackend.open(options(options, names, emulated, 0));
        if (!names.isPair()) {
            return new Opened(first, null, emulated, profiled);
        }
        try {
            CudaBackend second = CudaBackend.open(options(options, names, emulated, 1));
            if (!first.name().equals(second.name())) {
                notes.accept("the two devices are a " + first.name() + " and a " + second.name()
                        + ", so the picture may differ in the last bits from that of one of them");
            }
            return new Opened(first, second, emulated, profiled);
        } catch (RuntimeException | Error e) {
            first.close();
            throw e;
        }
    }

    private static CudaOptions options(CudaOptions options, DeviceNames names, EmulatedDevice emulated, int i) {
        int ordinal = names.ordinals().get(i);
        CudaOptions own = names.isPair() ? options.withLabel(names.label(i)) : options;
        return (emulated == null ? own : own.withLastWords(places -> emulated.takeFailure(ordinal)
                .map(failure -> words(failure, places)).orElse(null))).withOrdinal(ordinal);
    }

    /** A failure of the emulated device, with the line of the source where it is a kernel's. */
    private static String words(Throwable failure, KernelPlaces places) {
        return failure.getMessage() + (failure instanceof DeviceFault fault
                ? places.words(fault.kernel(), fault.line()) : "");
    }

    /** What would be opened, as a count of its memory: no device is needed, only the kind of one. */
    public static CountingBackend counting(DeviceChoice o, String precision) {
        checkOne(o);
        return countingEach(o, precision).getFirst();
    }

    /** The same of one device, or of two for the branches of guidance. */
    public static List<CountingBackend> countingEach(DeviceChoice o, String precision) {
        return Stream.generate(() -> countingOne(o, precision)).limit(DeviceNames.of(o.device()).ordinals().size())
                .toList();
    }

    private static CountingBackend countingOne(DeviceChoice o, String precision) {
        String device = DeviceNames.of(o.device()).kind();
        String obstacle = device.equals("auto") ? cudaObstacle() : null;
        boolean cpu = device.equals("cpu") || device.equals("auto") && (obstacle != null
                || isOfCpus(precision));
        if (cpu) {
            CpuLevel level = level(o.cpu());
            Precision onCpu = cpuPrecision(precision, level);
            return CountingBackend.ofCpu(onCpu, CpuBackend.operandType(onCpu, level));
        }
        return CountingBackend.ofCuda(cudaOptions(o, precision).precision());
    }

    private static Opened auto(DeviceChoice o, String precision, int threads, Consumer<String> notes) {
        boolean onlyCpu = o.cpu() != null || isOfCpus(precision);
        boolean onlyCuda = o.kernels() != null || !o.gemm().equals("own") || !o.conv().equals("own");
        if (onlyCpu && (!onlyCuda || o.cpu() != null)) {
            return cpu(o, precision, threads);
        }
        String obstacle = cudaObstacle();
        if (obstacle == null || onlyCuda) {
            return new Opened(CudaBackend.open(cudaOptions(o, precision)), null, null, false);
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
        CpuLevel level = level(o.cpu());
        return new Opened(new CpuBackend(threads, cpuPrecision(precision, level), level), null, null, false);
    }

    /** Whether it is one that CUDA devices have not. */
    private static boolean isOfCpus(String precision) {
        Precision wanted = precision == null ? null : precision(precision);
        return wanted == Precision.F32 || wanted != null && wanted.isSplit();
    }

    /** @param level null for the best of this machine */
    private static Precision cpuPrecision(String precision, CpuLevel level) {
        Precision wanted = precision == null ? Precision.F32 : precision(precision);
        if (wanted == Precision.F16) {
            throw new InputException("--precision f16 is for CUDA devices; on the CPU use f32, bf16 or fp8");
        }
        if (wanted.isSplit() && (level == null ? CpuLevel.best() : level) != CpuLevel.AMX) {
            String obstacle = CpuLevel.AMX.obstacle();
            throw new InputException("--precision " + wanted.label() + " needs the CPU level amx, but "
                    + (obstacle != null ? obstacle : "--cpu is " + level.label()) + "; use f32 or bf16");
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

    private static Opened emulated(DeviceChoice o, DeviceNames names, String precision, int threads) {
        CudaOptions options = cudaOptions(o, precision);
        if (names.isPair() && o.profile()) {
            throw new InputException("--emulator-profile counts what one device does; leave it out, or name one"
                    + " device");
        }
        EmulatedDevice device;
        try {
            device = EmulatedDevice.start(new EmulatorOptions(o.check(), o.profile(), o.seed(), threads,
                            capability(o.capability())),
                    o.memory() == null ? EmulatedDevice.DEFAULT_MEMORY_BYTES : o.memory(), names.ordinals().size());
        } catch (EmulatorException e) {
            throw new DeviceException(e.getMessage(), e);
        }
        try {
            return cuda(options, names, device, o.profile(), _ -> { });
        } catch (RuntimeException e) {
            device.close();
            throw e;
        }
    }

    private static int capability(String text) {
        return switch (text) {
            case null -> EmulatorOptions.DEFAULT_CAPABILITY;
            case "8.0" -> 80;
            case "8.9" -> 89;
            case "9.0" -> 90;
            default -> throw new InputException("--emulator-capability " + text + " is unknown; use 8.0, 8.9 or 9.0");
        };
    }

    private static CudaOptions cudaOptions(DeviceChoice o, String precision) {
        Precision wanted = precision == null ? Precision.BF16 : precision(precision);
        if (isOfCpus(precision)) {
            throw new InputException("--precision " + wanted.label()
                    + " is for the CPU; CUDA devices compute products in bf16, f16 or fp8");
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

    private static void checkEmulatorOptions(DeviceChoice o, DeviceNames names) {
        if ((o.check() || o.profile() || o.seed() != 0 || o.memory() != null || o.capability() != null)
                && !names.kind().equals("emulated")) {
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
        for (Precision precision : Precision.values()) {
            if (precision.label().equals(label.toLowerCase(Locale.ROOT))) {
                return precision;
            }
        }
        throw new InputException("precision '" + label + "' is unknown; use f32, bf16, bf16x2, bf16x3, f16 or fp8");
    }
}
