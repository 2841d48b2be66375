package jdiffusion.kernels.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import jdiffusion.emulator.EmulatorOptions;
import jdiffusion.emulator.KernelCounters;
import jdiffusion.emulator.driver.EmulatedDevice;
import jdiffusion.kernels.DeviceException;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Unreadable;

/**
 * The device that tests of CUDA kernels run on: the emulated one with all its checks, or with
 * {@code -Djdiffusion.testDevice=cuda} the first real one; see {@link OnDevice}. One is open at a time. The emulated
 * one's seed is that of {@code -Djdiffusion.testSeed}, or 0; no test depends on it.
 */
public final class TestDevice implements AutoCloseable {
    private static final boolean REAL = "cuda".equals(System.getProperty("jdiffusion.testDevice"));

    private static final long SEED = Long.getLong("jdiffusion.testSeed", 0);

    private final EmulatedDevice emulated;
    private final Cuda cuda;
    private final CudaTransfer transfer;
    private final List<Long> taken = new ArrayList<>();

    private TestDevice(DType operandType, EmulatorOptions options, KernelSource kernels) {
        emulated = REAL ? null : EmulatedDevice.start(options, EmulatedDevice.DEFAULT_MEMORY_BYTES);
        cuda = Cuda.open(0, "cuda", kernels, operandType, _ -> failure());
        transfer = new CudaTransfer(cuda);
    }

    /** With operands of bfloat16, and every check of the emulator. */
    public static TestDevice open() {
        return open(DType.BF16);
    }

    public static TestDevice open(DType operandType) {
        return new TestDevice(operandType, EmulatorOptions.defaults().withCheck(true).withSeed(SEED),
                KernelSource.BUILT_IN);
    }

    /** Of compute capability 9.0, where it is emulated, with every check. */
    public static TestDevice sm90(DType operandType, KernelSource kernels, long seed) {
        return new TestDevice(operandType, EmulatorOptions.defaults().withCheck(true).withSeed(seed)
                .withCapability(90), kernels);
    }

    /** With counters instead of checks; always emulated, so a test that needs it asks {@link #isReal} first. */
    public static TestDevice profiling() {
        return new TestDevice(DType.BF16, EmulatorOptions.defaults().withProfile(true), KernelSource.BUILT_IN);
    }

    /** With every check, other kernels, and a seed; always emulated. */
    public static TestDevice checking(KernelSource kernels, long seed) {
        return new TestDevice(DType.BF16, EmulatorOptions.defaults().withCheck(true).withSeed(seed), kernels);
    }

    /** With operands of bfloat16 and every check; emulated, of that capability, or the real one as it is. */
    public static TestDevice ofCapability(int capability) {
        return new TestDevice(DType.BF16, EmulatorOptions.defaults().withCheck(true).withSeed(SEED)
                .withCapability(capability), KernelSource.BUILT_IN);
    }

    /** As {@link #profiling()}, of that capability. */
    public static TestDevice profiling(int capability) {
        return profiling(DType.BF16, capability);
    }

    /** The same with operands of a type. */
    public static TestDevice profiling(DType operandType, int capability) {
        return new TestDevice(operandType, EmulatorOptions.defaults().withProfile(true)
                .withCapability(capability), KernelSource.BUILT_IN);
    }

    /** Why the device cannot multiply float8; null when it can. */
    public String float8Obstacle() {
        try {
            cuda.requireFloat8();
            return null;
        } catch (DeviceException e) {
            return e.getMessage();
        }
    }

    public static boolean isReal() {
        return REAL;
    }

    private String failure() {
        return emulated == null ? null : emulated.takeFailure().map(Throwable::getMessage).orElse(null);
    }

    public Cuda cuda() {
        return cuda;
    }

    /** What the launches so far did, by kernel. */
    public Map<String, KernelCounters> counters() {
        return emulated.executor().counters();
    }

    public EmulatedDevice emulated() {
        return emulated;
    }

    /** A copy of a host tensor on the device, the gaps between its rows with it. */
    public Tensor put(Tensor host) {
        long bytes = span(host);
        Tensor device = at(take(bytes), host.type(), host.shape(), host.rowStride());
        if (bytes > 0) {
            cuda.copyIn(host.data().asSlice(0, bytes), device.data().address());
        }
        return device;
    }

    /** Values stored as a type that activations have. */
    public Tensor put(DType type, float[] values, int... dims) {
        Tensor device = empty(type, dims);
        transfer.upload(values, device);
        return device;
    }

    /** New memory; on the emulated device it holds NaN. */
    public Tensor empty(DType type, int... dims) {
        Shape shape = Shape.of(dims);
        return at(take(shape.size() * type.bytes()), type, shape, shape.cols());
    }

    private Tensor at(long address, DType type, Shape shape, int stride) {
        long rows = Math.max(1, shape.rows());
        return new Tensor(Unreadable.at(address, rows * stride * type.bytes()), type, shape, stride);
    }

    private long take(long bytes) {
        long address = cuda.allocate(Math.max(bytes, 1));
        taken.add(address);
        return address;
    }

    /** All elements in order, widened. */
    public float[] get(Tensor device) {
        float[] values = new float[Math.toIntExact(device.shape().size())];
        transfer.download(device, values);
        return values;
    }

    /** The tensor on the host, the gaps between its rows with it. */
    public Tensor fetch(Tensor device) {
        MemorySegment copy = Arena.ofAuto().allocate(span(device), 8);
        cuda.copyOut(device.data().address(), copy);
        return new Tensor(copy, device.type(), device.shape(), device.rowStride());
    }

    private static long span(Tensor tensor) {
        return tensor.shape().size() == 0 ? 0
                : tensor.rowOffset(tensor.rows() - 1) + (long) tensor.cols() * tensor.type().bytes();
    }

    /** Frees what was put, between the cases of a test. */
    public void clear() {
        taken.forEach(cuda::free);
        taken.clear();
    }

    @Override
    public void close() {
        clear();
        cuda.close();
        if (emulated != null) {
            emulated.close();
        }
    }
}
