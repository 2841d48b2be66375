package jdiffusion.emulator.driver;

import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import jdiffusion.emulator.PtxKernel;
import jdiffusion.emulator.PtxProgram;

/** A device's modules and their functions, by the handles that the driver hands out. A handle is never used twice. */
final class Modules {
    /** Of all devices, so that no handle of one is known to another. */
    private static final AtomicLong HANDLES = new AtomicLong(0x10000);

    private final Map<Long, Module> modules = new ConcurrentHashMap<>();
    private final Map<Long, Function> functions = new ConcurrentHashMap<>();

    /** A translated module; its functions are handed out once per name. */
    record Module(PtxProgram program, Map<String, Long> functions) {
    }

    /** A kernel with what the caller may set about it. */
    static final class Function {
        private final PtxKernel kernel;
        private volatile int maxDynamicShared = DeviceLimits.SHARED_BYTES;

        Function(PtxKernel kernel) {
            this.kernel = kernel;
        }

        PtxKernel kernel() {
            return kernel;
        }

        /** Bytes of dynamic shared memory that a launch may ask for; more than 48 KiB only when the caller opts in. */
        int maxDynamicShared() {
            return maxDynamicShared;
        }

        void maxDynamicShared(int bytes) {
            maxDynamicShared = bytes;
        }
    }

    long add(PtxProgram program) {
        long handle = HANDLES.getAndIncrement();
        modules.put(handle, new Module(program, new TreeMap<>()));
        return handle;
    }

    /** The module, or null when the handle is unknown or unloaded. */
    Module module(long handle) {
        return modules.get(handle);
    }

    /** Forgets the module and its functions; null when the handle is unknown. */
    Module remove(long handle) {
        Module module = modules.remove(handle);
        if (module != null) {
            synchronized (module) {
                functions.keySet().removeAll(module.functions.values());
            }
        }
        return module;
    }

    /** The handle of a kernel that the module has. */
    long functionHandle(Module module, String name) {
        synchronized (module) {
            return module.functions.computeIfAbsent(name, key -> {
                long handle = HANDLES.getAndIncrement();
                functions.put(handle, new Function(module.program.kernel(key)));
                return handle;
            });
        }
    }

    /** The function, or null when the handle is unknown or its module was unloaded. */
    Function function(long handle) {
        return functions.get(handle);
    }
}
