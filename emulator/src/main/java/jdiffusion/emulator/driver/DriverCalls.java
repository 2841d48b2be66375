package jdiffusion.emulator.driver;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.ReentrantLock;
import jdiffusion.emulator.DeviceFault;
import jdiffusion.emulator.DeviceMemory;
import jdiffusion.emulator.Dim3;
import jdiffusion.emulator.Executor;
import jdiffusion.emulator.PtxException;
import jdiffusion.emulator.PtxKernel;
import jdiffusion.emulator.PtxProgram;

/**
 * What the driver asks of Java for one device, one method per field of {@code struct emulator_calls} in cuda.c, whose
 * first argument is the number of the device. Each returns a
 * CUresult; why a call failed is kept for {@link #takeFailure()}.
 */
final class DriverCalls {
    private final DeviceMemory memory;
    private final Executor executor;
    private final DeviceLimits limits;
    private final Modules modules = new Modules();
    private final Map<Long, Long> globals = new ConcurrentHashMap<>();
    private final AtomicReference<Throwable> failure = new AtomicReference<>();
    private final AtomicReference<DeviceFault> fault = new AtomicReference<>();
    private final ReentrantLock launching = new ReentrantLock();

    DriverCalls(DeviceMemory memory, Executor executor) {
        this.memory = memory;
        this.executor = executor;
        this.limits = new DeviceLimits(executor.options().capability());
    }

    /** The latest failure that has not been taken, or null. */
    Throwable takeFailure() {
        return failure.getAndSet(null);
    }

    /** The first fault of a kernel, or null. */
    DeviceFault fault() {
        return fault.get();
    }

    /** Keeps the failure and returns its code. */
    int fail(int result, Throwable reason) {
        failure.set(reason);
        return result;
    }

    private int refuse(int result, String reason) {
        return fail(result, new IllegalArgumentException(reason));
    }

    int allocated(long address, long bytes) {
        memory.add(address, bytes);
        return CudaResult.SUCCESS;
    }

    int released(long address) {
        var allocation = memory.find(address);
        if (allocation == null || allocation.address() != address || globals.containsKey(address)) {
            return refuse(CudaResult.INVALID_VALUE,
                    "free of " + hex(address) + ", which is not the start of an allocation");
        }
        memory.remove(address);
        return CudaResult.SUCCESS;
    }

    int accessible(long address, long bytes) {
        if (bytes == 0) {
            return CudaResult.SUCCESS;
        }
        var allocation = memory.find(address);
        if (allocation == null) {
            return refuse(CudaResult.INVALID_VALUE,
                    "copy or fill of " + bytes + " bytes at " + hex(address) + ", which lies in no allocation");
        }
        if (bytes < 0 || !allocation.covers(address, bytes)) {
            long rest = allocation.address() + allocation.bytes() - address;
            return refuse(CudaResult.INVALID_VALUE, "copy or fill of " + Long.toUnsignedString(bytes) + " bytes at "
                    + hex(address) + ", where its allocation of " + allocation.bytes() + " bytes has " + rest
                    + " left");
        }
        return CudaResult.SUCCESS;
    }

    int load(MemorySegment ptx, long bytes, MemorySegment log, long logBytes, MemorySegment handle) {
        String text = new String(ptx.reinterpret(bytes).toArray(JAVA_BYTE), StandardCharsets.UTF_8);
        try {
            PtxProgram program = Translations.of(text);
            String obstacle = limits.obstacle(program.target());
            if (obstacle != null) {
                writeLog(obstacle, log, logBytes);
                return refuse(CudaResult.INVALID_PTX, obstacle);
            }
            handle.reinterpret(JAVA_LONG.byteSize()).set(JAVA_LONG, 0, modules.add(program));
            return CudaResult.SUCCESS;
        } catch (PtxException e) {
            writeLog(String.valueOf(e.getMessage()), log, logBytes);
            return fail(CudaResult.INVALID_PTX, e);
        }
    }

    private static void writeLog(String message, MemorySegment log, long logBytes) {
        if (logBytes > 0) {
            byte[] bytes = message.getBytes(StandardCharsets.UTF_8);
            int length = (int) Math.min(bytes.length, logBytes - 1);
            MemorySegment target = log.reinterpret(logBytes);
            MemorySegment.copy(bytes, 0, target, JAVA_BYTE, 0, length);
            target.set(JAVA_BYTE, length, (byte) 0);
        }
    }

    int unload(long handle) {
        Modules.Module module = modules.remove(handle);
        if (module == null) {
            return refuse(CudaResult.INVALID_HANDLE, "unload of a module that is not loaded");
        }
        globals.forEach((address, owner) -> {
            if (owner == handle && globals.remove(address) != null) {
                memory.remove(address);
            }
        });
        return CudaResult.SUCCESS;
    }

    int function(long handle, MemorySegment name, MemorySegment function) {
        Modules.Module module = modules.module(handle);
        if (module == null) {
            return refuse(CudaResult.INVALID_HANDLE, "function of a module that is not loaded");
        }
        String kernel = string(name);
        if (!module.program().kernels().contains(kernel)) {
            return refuse(CudaResult.NOT_FOUND,
                    "no kernel " + kernel + "; the module has " + module.program().kernels());
        }
        function.reinterpret(JAVA_LONG.byteSize()).set(JAVA_LONG, 0, modules.functionHandle(module, kernel));
        return CudaResult.SUCCESS;
    }

    int global(long handle, MemorySegment name, MemorySegment address, MemorySegment bytes) {
        Modules.Module module = modules.module(handle);
        if (module == null) {
            return refuse(CudaResult.INVALID_HANDLE, "variable of a module that is not loaded");
        }
        MemorySegment global = module.program().global(string(name));
        if (global == null) {
            return refuse(CudaResult.NOT_FOUND, "no variable " + string(name) + " in the module");
        }
        if (globals.putIfAbsent(global.address(), handle) == null) {
            memory.add(global.address(), global.byteSize());
        }
        address.reinterpret(JAVA_LONG.byteSize()).set(JAVA_LONG, 0, global.address());
        bytes.reinterpret(JAVA_LONG.byteSize()).set(JAVA_LONG, 0, global.byteSize());
        return CudaResult.SUCCESS;
    }

    int getAttribute(long handle, int attribute, MemorySegment value) {
        Modules.Function function = modules.function(handle);
        if (function == null) {
            return refuse(CudaResult.INVALID_HANDLE, "attribute of a function that is not loaded");
        }
        var kernel = function.kernel();
        int found = switch (attribute) {
            case FunctionAttribute.MAX_THREADS_PER_BLOCK -> kernel.maxThreads();
            case FunctionAttribute.SHARED_SIZE_BYTES -> kernel.staticSharedBytes();
            case FunctionAttribute.PTX_VERSION, FunctionAttribute.BINARY_VERSION -> limits.capability();
            case FunctionAttribute.MAX_DYNAMIC_SHARED_SIZE_BYTES -> function.maxDynamicShared();
            case FunctionAttribute.CLUSTER_SIZE_MUST_BE_SET -> kernel.isClusterSizeNeeded() ? 1 : 0;
            case FunctionAttribute.REQUIRED_CLUSTER_WIDTH -> required(kernel).x();
            case FunctionAttribute.REQUIRED_CLUSTER_HEIGHT -> required(kernel).y();
            case FunctionAttribute.REQUIRED_CLUSTER_DEPTH -> required(kernel).z();
            default -> 0;
        };
        value.reinterpret(JAVA_INT.byteSize()).set(JAVA_INT, 0, found);
        return CudaResult.SUCCESS;
    }

    int setAttribute(long handle, int attribute, int value) {
        Modules.Function function = modules.function(handle);
        if (function == null) {
            return refuse(CudaResult.INVALID_HANDLE, "attribute of a function that is not loaded");
        }
        if (attribute == FunctionAttribute.PREFERRED_SHARED_MEMORY_CARVEOUT) {
            return CudaResult.SUCCESS;
        }
        if (attribute != FunctionAttribute.MAX_DYNAMIC_SHARED_SIZE_BYTES) {
            return refuse(CudaResult.INVALID_VALUE, "attribute " + attribute + " of a function cannot be set");
        }
        int most = limits.sharedBytesOptIn() - function.kernel().staticSharedBytes();
        if (value < 0 || value > most) {
            return refuse(CudaResult.INVALID_VALUE, value + " bytes of dynamic shared memory for "
                    + function.kernel().name() + ": at most " + most);
        }
        function.maxDynamicShared(value);
        return CudaResult.SUCCESS;
    }

    int occupancy(long handle, int threads, long sharedBytes, MemorySegment blocks) {
        Modules.Function function = modules.function(handle);
        if (function == null) {
            return refuse(CudaResult.INVALID_HANDLE, "occupancy of a function that is not loaded");
        }
        if (threads < 1 || sharedBytes < 0) {
            return refuse(CudaResult.INVALID_VALUE,
                    "occupancy of " + threads + " threads and " + sharedBytes + " bytes");
        }
        int fit = limits.blocksPerMultiprocessor(function, threads, sharedBytes);
        blocks.reinterpret(JAVA_INT.byteSize()).set(JAVA_INT, 0, fit);
        return CudaResult.SUCCESS;
    }

    int clusterOccupancy(long handle, MemorySegment geometry, MemorySegment clusters) {
        Modules.Function function = modules.function(handle);
        if (function == null) {
            return refuse(CudaResult.INVALID_HANDLE, "occupancy of a function that is not loaded");
        }
        Geometry of = Geometry.read(geometry);
        PtxKernel kernel = function.kernel();
        Dim3 size = kernel.clusterOf(of.cluster());
        String refusal = size == null ? "no size of clusters"
                : limits.refusal(function, of.grid(), of.block(), of.cluster(), of.shared(), kernel.paramBytes());
        if (refusal != null) {
            return refuse(CudaResult.INVALID_VALUE, "occupancy of " + kernel.name() + " with " + refusal);
        }
        int fit = limits.clusters(function, (int) of.block().count(), of.shared(), (int) size.count());
        clusters.reinterpret(JAVA_INT.byteSize()).set(JAVA_INT, 0, fit);
        return CudaResult.SUCCESS;
    }

    /** What a launch asks for; {@code cluster} is null where it says nothing. */
    private record Geometry(Dim3 grid, Dim3 block, int shared, Dim3 cluster) {
        static Geometry read(MemorySegment geometry) {
            int[] sizes = geometry.reinterpret(10 * JAVA_INT.byteSize()).toArray(JAVA_INT);
            return new Geometry(new Dim3(sizes[0], sizes[1], sizes[2]), new Dim3(sizes[3], sizes[4], sizes[5]),
                    sizes[6], sizes[7] == 0 ? null : new Dim3(sizes[7], sizes[8], sizes[9]));
        }
    }

    int launch(long handle, MemorySegment geometry, MemorySegment parameters, long bytes) {
        Modules.Function function = modules.function(handle);
        if (function == null) {
            return refuse(CudaResult.INVALID_HANDLE, "launch of a function that is not loaded");
        }
        Geometry of = Geometry.read(geometry);
        String refusal = limits.refusal(function, of.grid(), of.block(), of.cluster(), of.shared(), bytes);
        if (refusal != null) {
            return refuse(CudaResult.INVALID_VALUE, "launch of " + function.kernel().name() + " with " + refusal);
        }
        launching.lock();
        try {
            executor.launch(function.kernel(), of.grid(), of.block(), of.cluster(), of.shared(),
                    parameters.reinterpret(bytes));
            return CudaResult.SUCCESS;
        } catch (DeviceFault e) {
            fault.compareAndSet(null, e);
            return fail(CudaResult.of(e), e);
        } finally {
            launching.unlock();
        }
    }

    private static Dim3 required(PtxKernel kernel) {
        Dim3 required = kernel.clusterOf(null);
        return required == null ? new Dim3(0, 0, 0) : required;
    }

    private static String string(MemorySegment text) {
        return text.reinterpret(Long.MAX_VALUE).getString(0);
    }

    private static String hex(long address) {
        return "0x" + Long.toHexString(address);
    }
}
