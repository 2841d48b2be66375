package jdiffusion.kernels.cuda;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.function.BiFunction;
import java.util.function.Supplier;
import jcuda.CudaException;
import jcuda.Pointer;
import jcuda.driver.CUfunction;
import jcuda.driver.CUjit_option;
import jcuda.driver.CUmodule;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;
import jcuda.driver.JITOptions;
import jdiffusion.kernels.DeviceException;

/** The modules of one context, each loaded from its PTX when a kernel of it is first asked for. */
final class CudaModules implements AutoCloseable {
    private static final int LOG_BYTES = 4096;

    private final KernelSource source;
    private final BiFunction<Supplier<String>, CudaException, DeviceException> failure;
    private final Map<String, CUmodule> modules = new HashMap<>();
    private final KernelPlaces places;

    /** @param failure of a call of the driver, from what it was for */
    CudaModules(KernelSource source, BiFunction<Supplier<String>, CudaException, DeviceException> failure) {
        this.source = source;
        this.failure = failure;
        this.places = new KernelPlaces(source);
    }

    /** @param file {@code "linear/linear"} for {@code jdiffusion/kernels/linear/linear.cu} */
    CUfunction function(String file, String entry) {
        CUfunction function = new CUfunction();
        try {
            JCudaDriver.cuModuleGetFunction(function, modules.computeIfAbsent(file, this::load), entry);
        } catch (CudaException e) {
            throw failure.apply(() -> "kernel " + entry + " of " + file + ".cu", e);
        }
        places.add(entry, file);
        return function;
    }

    /** Where in the sources the functions that were asked for come from. */
    KernelPlaces places() {
        return places;
    }

    private CUmodule load(String file) {
        CUmodule module = new CUmodule();
        byte[] ptx = source.ptx(file).getBytes(StandardCharsets.UTF_8);
        // Outside of the heap, as the arguments of launches are, and ended by a zero.
        ByteBuffer text = ByteBuffer.allocateDirect(ptx.length + 1).put(ptx).rewind();
        JITOptions options = new JITOptions();
        options.putBytes(CUjit_option.CU_JIT_ERROR_LOG_BUFFER, new byte[LOG_BYTES]);
        options.putInt(CUjit_option.CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES, LOG_BYTES);
        // This form does not throw.
        int result = JCudaDriver.cuModuleLoadDataJIT(module, Pointer.to(text), options);
        if (result != CUresult.CUDA_SUCCESS) {
            throw failure.apply(() -> "loading the kernels of " + file + ".cu with " + CudaDriver.version()
                    + log(options), new CudaException(CUresult.stringFor(result)));
        }
        return module;
    }

    /** What the driver's compiler has against a module that did not load, in one line; empty if it says nothing. */
    private static String log(JITOptions options) {
        return options.getString(CUjit_option.CU_JIT_ERROR_LOG_BUFFER).lines().map(String::strip)
                .filter(line -> !line.isEmpty()).findFirst().map(line -> " (" + line + ")").orElse("");
    }

    @Override
    public void close() {
        modules.values().forEach(module -> Cuda.quietly(() -> JCudaDriver.cuModuleUnload(module)));
    }
}
