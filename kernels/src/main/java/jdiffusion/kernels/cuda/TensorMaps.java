package jdiffusion.kernels.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.util.Optional;
import jcuda.driver.CUresult;
import jdiffusion.kernels.DeviceException;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;

/**
 * What the tensor memory accelerator of cards of compute capability 9.0 must know of a tensor, packed by the driver's
 * {@code cuTensorMapEncodeTiled}, which the bindings of the other calls lack. A map is an argument of the launch, made
 * anew for each in memory that stays; nothing has to be kept in step with the tensors.
 */
public final class TensorMaps {
    /** {@code struct TensorMap} of {@code sm90.cuh}. */
    public static final int BYTES = 128;
    public static final int ALIGNMENT = 64;
    /** Of a box's row, which are swizzled. */
    public static final int BOX_BYTES = 128;
    private static final int DIMENSIONS = 4;
    private static final int ROW_ALIGNMENT = 16;
    private static final String NAME = "cuTensorMapEncodeTiled";

    /** Values of the driver's enumerations. */
    private static final int UINT8 = 0;
    private static final int FLOAT16 = 6;
    private static final int BFLOAT16 = 9;
    private static final int INTERLEAVE_NONE = 0;
    private static final int SWIZZLE_128_BYTES = 3;
    private static final int L2_PROMOTION_256_BYTES = 3;
    private static final int ZEROS_OUTSIDE = 0;

    private final MethodHandle encode;
    private final MemorySegment map;
    private final MemorySegment sizes;
    private final MemorySegment strides;
    private final MemorySegment box;
    private final MemorySegment steps;

    /** @param library of the driver, which must be loaded */
    TensorMaps(String library) {
        encode = Linker.nativeLinker().downcallHandle(find(library).orElseThrow(),
                FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT, JAVA_LONG, ADDRESS, ADDRESS, ADDRESS,
                        ADDRESS, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT));
        Arena arena = Arena.ofAuto();
        map = arena.allocate(BYTES, ALIGNMENT);
        sizes = arena.allocate(JAVA_LONG, DIMENSIONS);
        strides = arena.allocate(JAVA_LONG, DIMENSIONS - 1);
        box = arena.allocate(JAVA_INT, DIMENSIONS);
        steps = arena.allocate(JAVA_INT, DIMENSIONS);
        for (int i = 0; i < DIMENSIONS; i++) {
            steps.setAtIndex(JAVA_INT, i, 1);
        }
    }

    /** Whether the driver has the call. */
    static boolean areIn(String library) {
        return find(library).isPresent();
    }

    private static Optional<MemorySegment> find(String library) {
        return SymbolLookup.libraryLookup(library, Arena.global()).find(NAME);
    }

    /** Whether there is a map of a tensor: it begins, and its rows do, at multiples of 16 bytes. */
    public static boolean canMap(Tensor rows) {
        return (rows.type() == DType.BF16 || rows.type() == DType.F16 || rows.type() == DType.F8_E4M3)
                && rows.shape().size() > 0
                && rows.data().address() % ROW_ALIGNMENT == 0
                && (long) rows.rowStride() * rows.type().bytes() % ROW_ALIGNMENT == 0;
    }

    /**
     * The map of [rows, cols] for boxes of boxRows rows and {@value #BOX_BYTES} bytes of each. It is good until the
     * next is asked for.
     *
     * @param boxRows up to 256
     */
    public MemorySegment rows(Tensor rows, int boxRows) {
        return map(rows, boxRows, rows.cols(), rows.rows());
    }

    /**
     * The map of [batch, n, heads, channels] in the columns of a tensor [batch, n, heads * channels], for boxes within
     * one head of one of the batch: zeros lie behind its n rows and behind the head's channels.
     *
     * @param boxRows up to 256
     */
    public MemorySegment heads(Tensor rows, int heads, int boxRows) {
        return map(rows, boxRows, rows.cols() / heads, heads, rows.shape().dim(1), rows.shape().dim(0));
    }

    /** @param dims the innermost first, then maybe how many of those a row has; the rows; how often the rows */
    private MemorySegment map(Tensor tensor, int boxRows, int... dims) {
        if (!canMap(tensor)) {
            throw new IllegalArgumentException("the tensor memory accelerator takes no rows as " + tensor + " has");
        }
        long elementBytes = tensor.type().bytes();
        long rowBytes = tensor.rowStride() * elementBytes;
        int rowsAt = dims.length == 2 ? 1 : 2;
        for (int i = 0; i < dims.length; i++) {
            sizes.setAtIndex(JAVA_LONG, i, dims[i]);
            box.setAtIndex(JAVA_INT, i, i == 0 ? (int) (BOX_BYTES / elementBytes) : i == rowsAt ? boxRows : 1);
            if (i > 0) {
                strides.setAtIndex(JAVA_LONG, i - 1, i < rowsAt ? dims[0] * elementBytes
                        : i == rowsAt ? rowBytes : rowBytes * dims[rowsAt]);
            }
        }
        int result;
        try {
            result = (int) encode.invokeExact(map, code(tensor.type()), dims.length,
                    tensor.data().address(), sizes, strides, box, steps, INTERLEAVE_NONE, SWIZZLE_128_BYTES,
                    L2_PROMOTION_256_BYTES, ZEROS_OUTSIDE);
        } catch (Throwable e) {
            throw new IllegalStateException(e); // no native function throws
        }
        if (result != CUresult.CUDA_SUCCESS) {
            throw new DeviceException(NAME + " of " + tensor + " for boxes of " + boxRows + " rows: "
                    + CUresult.stringFor(result));
        }
        return map;
    }

    private static int code(DType type) {
        return type == DType.BF16 ? BFLOAT16 : type == DType.F16 ? FLOAT16 : UINT8;
    }
}
