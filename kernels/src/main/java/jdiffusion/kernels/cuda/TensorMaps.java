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
    /** Elements of a box's row: the 128 bytes that are swizzled. */
    public static final int BOX_COLS = 64;
    private static final int DIMENSIONS = 3;
    private static final int ROW_ALIGNMENT = 16;
    private static final String NAME = "cuTensorMapEncodeTiled";

    /** Values of the driver's enumerations. */
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
        box.setAtIndex(JAVA_INT, 0, BOX_COLS);
        box.setAtIndex(JAVA_INT, 2, 1);
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
        return (rows.type() == DType.BF16 || rows.type() == DType.F16) && rows.shape().size() > 0
                && rows.data().address() % ROW_ALIGNMENT == 0
                && (long) rows.rowStride() * rows.type().bytes() % ROW_ALIGNMENT == 0;
    }

    /**
     * The map of [rows, cols] for boxes of [boxRows, {@value #BOX_COLS}]. It is good until the next is asked for.
     *
     * @param boxRows up to 256
     */
    public MemorySegment rows(Tensor rows, int boxRows) {
        return map(2, rows, boxRows, rows.rows(), 1);
    }

    /** The same of [batch, n, cols], for boxes within one of the batch: zeros lie behind its n rows, too. */
    public MemorySegment batches(Tensor rows, int boxRows) {
        return map(3, rows, boxRows, rows.shape().dim(1), rows.shape().dim(0));
    }

    private MemorySegment map(int dimensions, Tensor tensor, int boxRows, int rows, int batch) {
        if (!canMap(tensor)) {
            throw new IllegalArgumentException("the tensor memory accelerator takes no rows as " + tensor + " has");
        }
        long rowBytes = (long) tensor.rowStride() * tensor.type().bytes();
        sizes.setAtIndex(JAVA_LONG, 0, tensor.cols());
        sizes.setAtIndex(JAVA_LONG, 1, rows);
        sizes.setAtIndex(JAVA_LONG, 2, batch);
        strides.setAtIndex(JAVA_LONG, 0, rowBytes);
        strides.setAtIndex(JAVA_LONG, 1, rowBytes * rows);
        box.setAtIndex(JAVA_INT, 1, boxRows);
        int result;
        try {
            result = (int) encode.invokeExact(map, tensor.type() == DType.BF16 ? BFLOAT16 : FLOAT16, dimensions,
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
}
