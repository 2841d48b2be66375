package jdiffusion.kernels.cuda;

import static jcuda.driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR;
import static jcuda.driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR;
import static jcuda.driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT;
import static jcuda.driver.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import jcuda.CudaException;
import jcuda.Pointer;
import jcuda.driver.CUcontext;
import jcuda.driver.CUctx_flags;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUfunction;
import jcuda.driver.CUstream;
import jcuda.driver.JCudaDriver;
import jdiffusion.kernels.DeviceException;
import jdiffusion.tensor.DType;

/**
 * One opened CUDA device: its context, one stream on which all work is queued in order, the modules loaded so far and
 * the memory taken. Used by one thread at a time.
 */
public final class Cuda implements AutoCloseable {
    /** With it every launch is waited for, so that a fault is reported by the launch that caused it. */
    private static final boolean SYNCHRONOUS = Boolean.getBoolean("jdiffusion.cuda.synchronous");
    /** Whose context is current on a thread. */
    private static final ThreadLocal<Cuda> CURRENT = new ThreadLocal<>();

    private final CUdevice device = new CUdevice();
    private final CUcontext context = new CUcontext();
    private final CUstream stream = new CUstream();
    private final String label;
    private final String name;
    private final String capability;
    private final int major;
    private final int minor;
    private final int multiprocessors;
    private final String kernelsFor;
    private final TensorMaps tensorMaps;
    private final CudaModules modules;
    private final DType operandType;
    private final Function<KernelPlaces, String> lastWords;
    private final Map<String, CudaKernel> kernels = new HashMap<>();
    private final KernelArgs args = new KernelArgs();
    private final LongBuffer argsSize =
            ByteBuffer.allocateDirect(Long.BYTES).order(ByteOrder.nativeOrder()).asLongBuffer();
    private final Pointer launchExtra;
    private final Staging staging;
    private final DriverMemory driverMemory = new DriverMemory(this);
    private final DeviceMemory memory = new DeviceMemory(driverMemory);
    private String lastLaunch = "nothing";
    private long launches;
    private boolean closed;

    /**
     * Opens a device.
     *
     * @param ordinal     which, from 0
     * @param label       what it is called in messages
     * @param source      where kernels come from
     * @param operandType BF16 or F16: what matrix products and attention read
     * @param lastWords   asked after a failure for what the device itself says of it; may give null
     */
    public static Cuda open(int ordinal, String label, KernelSource source, DType operandType,
                            Function<KernelPlaces, String> lastWords) {
        CudaDriver.load();
        int count = CudaDriver.deviceCount();
        if (ordinal < 0 || ordinal >= count) {
            throw new DeviceException("there is no CUDA device " + ordinal + "; " + switch (count) {
                case 0 -> "NVIDIA's driver finds none";
                case 1 -> "only device 0 is here";
                default -> "devices 0 to " + (count - 1) + " are here";
            });
        }
        return new Cuda(ordinal, label, source, operandType, lastWords);
    }

    private Cuda(int ordinal, String label, KernelSource source, DType operandType,
                 Function<KernelPlaces, String> lastWords) {
        if (operandType != DType.BF16 && operandType != DType.F16) {
            throw new IllegalArgumentException("operands of " + operandType + "; tensor cores take BF16 or F16");
        }
        this.label = label;
        this.modules = new CudaModules(source, this::failure);
        this.operandType = operandType;
        this.lastWords = lastWords;
        this.launchExtra = Pointer.to(JCudaDriver.CU_LAUNCH_PARAM_BUFFER_POINTER, args.address(),
                JCudaDriver.CU_LAUNCH_PARAM_BUFFER_SIZE, Pointer.to(argsSize), JCudaDriver.CU_LAUNCH_PARAM_END);
        try {
            JCudaDriver.cuDeviceGet(device, ordinal);
            name = CudaDriver.name(device);
            int major = CudaDriver.attribute(device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
            int minor = CudaDriver.attribute(device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
            CudaDriver.requireCapability(name, major, minor);
            capability = major + "." + minor;
            this.major = major;
            this.minor = minor;
            multiprocessors = CudaDriver.attribute(device, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
            kernelsFor = CudaDriver.kernels(major, minor);
            tensorMaps = CudaDriver.takesSm90(major, minor) ? new TensorMaps(CudaDriver.library()) : null;
            // Threads that wait for the device sleep instead of using up a core.
            JCudaDriver.cuDevicePrimaryCtxSetFlags(device, CUctx_flags.CU_CTX_SCHED_BLOCKING_SYNC);
            JCudaDriver.cuDevicePrimaryCtxRetain(context, device);
        } catch (CudaException e) {
            throw failure(() -> "opening CUDA device " + ordinal, e);
        }
        try {
            JCudaDriver.cuCtxSetCurrent(context);
            CURRENT.set(this);
            JCudaDriver.cuStreamCreate(stream, 0);
            staging = new Staging();
        } catch (CudaException e) {
            DeviceException failure = failure(() -> "opening CUDA device " + ordinal, e);
            release();
            throw failure;
        }
    }

    /** What it is called in messages. */
    public String label() {
        return label;
    }

    /** The device's name as its driver gives it. */
    public String name() {
        return name;
    }

    /** Its compute capability, as 8.0. */
    public String capability() {
        return capability;
    }

    /** How many multiprocessors the device has. */
    public int multiprocessors() {
        return multiprocessors;
    }

    /** Whether kernels for compute capability 9.0 alone run: those of files that end in {@code _sm90}. */
    public boolean takesSm90() {
        return tensorMaps != null;
    }

    /** Which kernels run, in words: "kernels for sm_90a". */
    public String kernelsFor() {
        return kernelsFor;
    }

    /** Of a device that {@link #takesSm90}. */
    public TensorMaps tensorMaps() {
        return tensorMaps;
    }

    /** Fails in one line where kernels for float8 do not run: files that end in {@code _sm89}. */
    public void requireFloat8() {
        CudaDriver.requireFloat8(label + ", " + name, major, minor);
    }

    /** Whether {@code mma} multiplies float8; where that is not so although it runs, it converts it to float16. */
    public boolean multipliesFloat8() {
        return major == 8 && minor == 9 || major >= 12;
    }

    /** The 16-bit type that matrix products and attention read. */
    public DType operandType() {
        return operandType;
    }

    /**
     * A kernel by the package that its source lies in and its name there; loaded once.
     *
     * @param file {@code "linear/linear"} for {@code jdiffusion/kernels/linear/linear.cu}
     */
    public CudaKernel kernel(String file, String entry) {
        CudaKernel known = kernels.get(entry);
        if (known != null) {
            return known;
        }
        use();
        CudaKernel kernel = new CudaKernel(this, entry, modules.function(file, entry));
        kernels.put(entry, kernel);
        return kernel;
    }

    /** Names of the kernels that were asked for so far, in alphabetical order. */
    public List<String> kernelNames() {
        return kernels.keySet().stream().sorted().toList();
    }

    /** Where in the sources the kernels that were asked for come from. */
    KernelPlaces places() {
        return modules.places();
    }

    /** Kernels launched so far. */
    public long launches() {
        return launches;
    }

    /** The arguments of the next launch, empty. One launch's arguments at a time. */
    public KernelArgs args() {
        return args.clear();
    }

    void launch(Supplier<String> what, CudaKernel kernel, CUfunction function, int gridX, int gridY, int gridZ,
                int blockX, int sharedBytes, KernelArgs packed) {
        use();
        argsSize.put(0, packed.size());
        lastLaunch = kernel.name();
        launches++;
        try {
            JCudaDriver.cuLaunchKernel(function, gridX, gridY, gridZ, blockX, 1, 1, sharedBytes, stream, null,
                    launchExtra);
            if (SYNCHRONOUS) {
                JCudaDriver.cuStreamSynchronize(stream);
            }
        } catch (CudaException e) {
            throw failure(() -> what.get() + ": kernel " + kernel.name() + " of " + gridX + "x" + gridY + "x" + gridZ
                    + " blocks of " + blockX + " threads", e);
        }
    }

    void allowShared(Supplier<String> what, CudaKernel kernel, CUfunction function, int bytes) {
        use();
        try {
            JCudaDriver.cuFuncSetAttribute(function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, bytes);
        } catch (CudaException e) {
            throw failure(() -> what.get() + ": kernel " + kernel.name() + " with " + bytes
                    + " bytes of shared memory", e);
        }
    }

    /** All memory that is taken of this device. */
    public DeviceMemory memory() {
        return memory;
    }

    /** New device memory, aligned to 256 bytes. */
    public long allocate(long bytes) {
        return memory.allocate(bytes);
    }

    /** Bytes of device memory that nobody has taken. */
    public long freeBytes() {
        return driverMemory.freeBytes();
    }

    /** Gives memory back after all queued work is done. */
    public void free(long address) {
        memory.free(address);
    }

    /** Zeros, queued. */
    public void clear(long address, long bytes) {
        use();
        run(() -> "clearing " + bytes + " bytes", () ->
                JCudaDriver.cuMemsetD8Async(pointer(address), (byte) 0, bytes, stream));
    }

    /** Device memory for the inside of one operation; what it held is lost with the next operation that asks. */
    public long scratch(long bytes) {
        return memory.scratch(bytes);
    }

    /**
     * Queues a copy to the device.
     *
     * @param host memory that every thread may read; it may change once this returns
     */
    public void copyIn(MemorySegment host, long to) {
        copyIn(host, to, stream);
    }

    /** The same, queued on another stream of this device. */
    void copyIn(MemorySegment host, long to, CUstream other) {
        use();
        run(() -> "copying " + host.byteSize() + " bytes to the device", () -> staging.copyIn(host, to, other));
    }

    /** Copies device memory to the host after all queued work is done. */
    public void copyOut(long from, MemorySegment host) {
        use();
        run(() -> "copying " + host.byteSize() + " bytes from the device", () -> staging.copyOut(from, host, stream));
    }

    /** Waits for all queued work; a fault of an earlier launch is reported here. */
    public void synchronize() {
        use();
        run(() -> "waiting for the device", () -> JCudaDriver.cuStreamSynchronize(stream));
    }

    /** Lets a library of NVIDIA's queue work of its own; its failures are reported as those of launches are. */
    public void queue(Supplier<String> what, Consumer<CUstream> call) {
        use();
        run(what, () -> call.accept(stream));
    }

    /** Every thread has a current context of its own, which another device may have changed. */
    void use() {
        if (CURRENT.get() != this) {
            run(() -> "using the device on this thread", () -> JCudaDriver.cuCtxSetCurrent(context));
            CURRENT.set(this);
        }
    }

    /** Calls the driver; its complaint becomes a failure of this device. */
    void run(Supplier<String> what, Runnable call) {
        try {
            call.run();
        } catch (CudaException e) {
            throw failure(what, e);
        }
    }

    DeviceException failure(Supplier<String> what, CudaException e) {
        String words = lastWords.apply(modules.places());
        String doubt = SYNCHRONOUS ? "" : ", which need not be the one that failed: -Djdiffusion.cuda.synchronous=true"
                + " waits for each and names it";
        return new DeviceException(label + ": " + what.get() + ": " + (words != null ? words : e.getMessage().strip()
                + "; the last kernel launched was " + lastLaunch + doubt), e);
    }

    /** A device address as JCuda takes it. */
    public static CUdeviceptr pointer(long address) {
        return new CUdeviceptr().withByteOffset(address);
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        quietly(() -> JCudaDriver.cuCtxSetCurrent(context));
        quietly(() -> JCudaDriver.cuStreamSynchronize(stream));
        staging.close();
        try {
            memory.freeScratch();
        } catch (DeviceException _) {
            // As in quietly().
        }
        modules.close();
        release();
    }

    private void release() {
        quietly(() -> JCudaDriver.cuStreamDestroy(stream));
        quietly(() -> JCudaDriver.cuDevicePrimaryCtxRelease(device));
        CURRENT.remove();
    }

    /** Gives something back. After a fault every call fails; what is left is then freed with the context. */
    static void quietly(Runnable call) {
        try {
            call.run();
        } catch (CudaException _) {
            // The fault was reported by whoever met it first.
        }
    }
}
