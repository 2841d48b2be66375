package jdiffusion.lab;

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
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** NVIDIA's run-time compiler, called directly. */
final class Nvrtc {
    private static final List<String> LIBRARIES = List.of("libnvrtc.so", "libnvrtc.so.13", "libnvrtc.so.12",
            "nvrtc64_130_0.dll", "nvrtc64_120_0.dll");

    private Nvrtc() {}

    static boolean isHere() {
        try (Arena arena = Arena.ofConfined()) {
            return find(arena) != null;
        }
    }

    private static SymbolLookup find(Arena arena) {
        for (String library : LIBRARIES) {
            try {
                return SymbolLookup.libraryLookup(library, arena);
            } catch (IllegalArgumentException e) {
                // the next one
            }
        }
        return null;
    }

    /** @throws LabException with the compiler's first error */
    static String compile(Path source, List<String> options) {
        try (Arena arena = Arena.ofConfined()) {
            SymbolLookup library = find(arena);
            MemorySegment handle = arena.allocate(ADDRESS);
            check(call(library, "nvrtcCreateProgram", handle, arena.allocateFrom(Files.readString(source)),
                    arena.allocateFrom(source.getFileName().toString()), 0, MemorySegment.NULL, MemorySegment.NULL),
                    source);
            MemorySegment program = handle.get(ADDRESS, 0);
            try {
                MemorySegment list = arena.allocate(ADDRESS, options.size());
                for (int i = 0; i < options.size(); i++) {
                    list.setAtIndex(ADDRESS, i, arena.allocateFrom(options.get(i)));
                }
                if (call(library, "nvrtcCompileProgram", program, options.size(), list) != 0) {
                    throw LabException.misuse(source + ": NVRTC failed: " + CudaCompiler.firstError(
                            text(library, "nvrtcGetProgramLog", program, arena)));
                }
                return text(library, "nvrtcGetPTX", program, arena);
            } finally {
                call(library, "nvrtcDestroyProgram", handle);
            }
        } catch (IOException e) {
            throw LabException.misuse(source + ": cannot be read (" + e.getMessage() + ")", e);
        }
    }

    private static String text(SymbolLookup library, String function, MemorySegment program, Arena arena) {
        MemorySegment size = arena.allocate(JAVA_LONG);
        call(library, function + "Size", program, size);
        MemorySegment text = arena.allocate(Math.max(1, size.get(JAVA_LONG, 0)));
        call(library, function, program, text);
        return text.getString(0);
    }

    private static void check(int code, Path source) {
        if (code != 0) {
            throw LabException.misuse(source + ": NVRTC failed with code " + code);
        }
    }

    private static int call(SymbolLookup library, String function, Object... arguments) {
        MemoryLayout[] layouts = new MemoryLayout[arguments.length];
        for (int i = 0; i < layouts.length; i++) {
            layouts[i] = arguments[i] instanceof Integer ? JAVA_INT : ADDRESS;
        }
        try {
            return (int) Linker.nativeLinker().downcallHandle(library.findOrThrow(function),
                    FunctionDescriptor.of(JAVA_INT, layouts)).invokeWithArguments(arguments);
        } catch (Throwable e) {
            throw LabException.misuse("NVRTC: " + function + " cannot be called (" + e + ")", e);
        }
    }
}
