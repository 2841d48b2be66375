package jdiffusion.kernels.cuda;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import jcuda.Pointer;
import jdiffusion.tensor.Tensor;

/**
 * A kernel's arguments, packed as it reads them: in order, each aligned to its own size. Plain parameters and the
 * fields of one struct passed by value lie alike that way.
 */
public final class KernelArgs {
    /** The parameter space of a kernel, in bytes, on every card. */
    static final int MOST = 4096;

    /** Outside of the heap: JCuda would hold up the garbage collector for as long as a launch takes. */
    private final ByteBuffer bytes = ByteBuffer.allocateDirect(MOST).order(ByteOrder.nativeOrder());

    KernelArgs() {
    }

    KernelArgs clear() {
        bytes.clear();
        return this;
    }

    /** The address of a tensor on the device; null for none. */
    public KernelArgs pointer(Tensor tensorOrNull) {
        return pointer(tensorOrNull == null ? 0 : tensorOrNull.data().address());
    }

    public KernelArgs pointer(long address) {
        return int64(address);
    }

    /** A tensor as {@code struct Rows} of {@code rows.cuh}; null for an absent one. */
    public KernelArgs rows(Tensor tensorOrNull) {
        return pointer(tensorOrNull).int32(TypeCode.of(tensorOrNull))
                .int32(tensorOrNull == null ? 0 : tensorOrNull.rowStride());
    }

    /** What {@link TensorMaps} gave, copied. */
    public KernelArgs map(MemorySegment map) {
        align(TensorMaps.ALIGNMENT);
        MemorySegment.copy(map, 0, MemorySegment.ofBuffer(bytes), 0, TensorMaps.BYTES);
        bytes.position(bytes.position() + TensorMaps.BYTES);
        return this;
    }

    public KernelArgs int64(long value) {
        align(8);
        bytes.putLong(value);
        return this;
    }

    public KernelArgs int32(int value) {
        align(4);
        bytes.putInt(value);
        return this;
    }

    public KernelArgs float32(float value) {
        align(4);
        bytes.putFloat(value);
        return this;
    }

    /** Fills up to a multiple of {@code size}: the end of a struct, or the unused rest of an array of them. */
    public KernelArgs align(int size) {
        while (bytes.position() % size != 0) {
            bytes.put((byte) 0);
        }
        return this;
    }

    /** Zeros for {@code count} bytes: unused entries of an array. */
    public KernelArgs skip(int count) {
        for (int i = 0; i < count; i++) {
            bytes.put((byte) 0);
        }
        return this;
    }

    /** Bytes packed so far. */
    public int size() {
        return bytes.position();
    }

    Pointer address() {
        return Pointer.to(bytes);
    }
}
