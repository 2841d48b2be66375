package jdiffusion.emulator.driver;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Stream;
import jdiffusion.emulator.EmulatorOptions;

/**
 * The stand-in driver in this process, loaded once and for good: JCuda, loaded later, is bound to it because the
 * dynamic linker looks among the loaded libraries for one that calls itself libcuda.so.1.
 */
final class DriverLibrary {
    /** The fields of struct emulator_calls in their order, as methods of {@link DriverCalls}. */
    private static final List<String> CALLS = List.of("allocated", "released", "accessible", "load", "unload",
            "function", "global", "getAttribute", "setAttribute", "occupancy", "clusterOccupancy",
            "launch");

    private static DriverLibrary loaded;
    /** Of the devices that are open, by their numbers; none when none is. */
    private static volatile List<DriverCalls> current = List.of();

    private final MethodHandle attach;
    private final MethodHandle detach;
    private final MemorySegment calls;

    private DriverLibrary(Path file) {
        SymbolLookup symbols;
        try {
            symbols = SymbolLookup.libraryLookup(file, Arena.global());
        } catch (IllegalArgumentException e) {
            throw new EmulatorException("cannot load the driver of the emulated device: " + loaderSays(file), e);
        }
        Linker linker = Linker.nativeLinker();
        attach = linker.downcallHandle(symbols.findOrThrow("emulator_attach"),
                FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT));
        detach = linker.downcallHandle(symbols.findOrThrow("emulator_detach"), FunctionDescriptor.ofVoid());
        calls = Arena.global().allocate(ADDRESS, CALLS.size());
        for (int i = 0; i < CALLS.size(); i++) {
            MethodHandle call = upcall(CALLS.get(i));
            calls.setAtIndex(ADDRESS, i, linker.upcallStub(call, descriptor(call.type()), Arena.global()));
        }
    }

    /** Why the dynamic linker does not load a file, which only this way of loading tells. */
    static String loaderSays(Path file) {
        try {
            System.load(file.toString());
            return file + " did not load at first";
        } catch (UnsatisfiedLinkError e) {
            String message = OneLine.of(String.valueOf(e.getMessage()));
            String twice = file + ": " + file + ": ";
            String once = message.startsWith(twice) ? message.substring(twice.length() / 2) : message;
            return message.contains("failed to map segment") ? once + " (is its folder mounted noexec?)" : once;
        }
    }

    /** Opens the driver for some devices; refused while others are open. They are strict when options say check. */
    static synchronized void open(List<DriverCalls> devices, long memoryBytes, EmulatorOptions options) {
        if (!current.isEmpty()) {
            throw new EmulatorException("an emulated device is already open in this process; close it first");
        }
        if (loaded == null) {
            checkPlatform();
            checkNoDriver();
            loaded = new DriverLibrary(DriverBuild.library());
        }
        current = List.copyOf(devices);
        try {
            int result = (int) loaded.attach.invokeExact(loaded.calls, memoryBytes, options.check() ? 1 : 0,
                    devices.size(), options.capability());
            if (result != CudaResult.SUCCESS) {
                throw new EmulatorException("the driver of the emulated device did not open: CUresult " + result);
            }
        } catch (Throwable e) {
            current = List.of();
            throw rethrow(e);
        }
    }

    /** Compiles the driver if that was not done before; fails where it cannot be had. */
    static synchronized void prepare() {
        checkPlatform();
        DriverBuild.library();
    }

    /** Closes the driver: frees device memory, makes all handles stale. */
    static synchronized void close() {
        try {
            loaded.detach.invokeExact();
        } catch (Throwable e) {
            throw rethrow(e);
        } finally {
            current = List.of();
        }
    }

    private static void checkPlatform() {
        if (!System.getProperty("os.name").toLowerCase(Locale.ROOT).contains("linux")) {
            throw new EmulatorException("the emulated device needs Linux (JCuda finds it as libcuda.so.1), this is "
                    + System.getProperty("os.name"));
        }
    }

    private static void checkNoDriver() {
        // The names of files may be in any encoding.
        try (Stream<String> lines = Files.lines(Path.of("/proc/self/maps"), StandardCharsets.ISO_8859_1)) {
            driver(lines).ifPresent(file -> {
                throw new EmulatorException("the emulated device must be opened before anything uses CUDA in this"
                        + " process; loaded already: " + file);
            });
        } catch (IOException e) {
            throw new EmulatorException("cannot see which libraries are loaded: " + e, e);
        }
    }

    /** The file of a CUDA driver, or of bindings to one, among the lines of /proc/self/maps. */
    static Optional<String> driver(Stream<String> maps) {
        return maps.filter(line -> line.contains("/libcuda.so") || line.contains("/libJCudaDriver"))
                .map(line -> line.substring(line.indexOf('/'))).findFirst();
    }

    /** The method on the device whose number comes first, with every exception turned into a CUresult. */
    private static MethodHandle upcall(String name) {
        var lookup = MethodHandles.lookup();
        try {
            Method method = Stream.of(DriverCalls.class.getDeclaredMethods())
                    .filter(candidate -> candidate.getName().equals(name)).findFirst().orElseThrow();
            MethodHandle device = lookup.findStatic(DriverLibrary.class, "device",
                    MethodType.methodType(DriverCalls.class, int.class));
            MethodHandle call = MethodHandles.filterArguments(lookup.unreflect(method), 0, device);
            MethodHandle failed = lookup.findStatic(DriverLibrary.class, "failed",
                    MethodType.methodType(int.class, Throwable.class, int.class));
            return MethodHandles.catchException(call, Throwable.class, failed);
        } catch (ReflectiveOperationException e) {
            throw new AssertionError(e);
        }
    }

    private static DriverCalls device(int number) {
        return current.get(number);
    }

    private static int failed(Throwable reason, int number) {
        List<DriverCalls> devices = current;
        return number >= devices.size() ? CudaResult.UNKNOWN
                : devices.get(number).fail(CudaResult.UNKNOWN, reason);
    }

    private static FunctionDescriptor descriptor(MethodType type) {
        MemoryLayout[] arguments = type.parameterList().stream().map(DriverLibrary::layout)
                .toArray(MemoryLayout[]::new);
        return FunctionDescriptor.of(JAVA_INT, arguments);
    }

    private static MemoryLayout layout(Class<?> type) {
        return type == int.class ? JAVA_INT : type == long.class ? JAVA_LONG : ADDRESS;
    }

    private static RuntimeException rethrow(Throwable e) {
        return switch (e) {
            case RuntimeException unchecked -> unchecked;
            case Error error -> throw error;
            default -> new EmulatorException("the driver of the emulated device failed", e);
        };
    }
}
