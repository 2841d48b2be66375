package jdiffusion.kernels.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;
import jdiffusion.kernels.Operands;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.FloatFormat;
import jdiffusion.tensor.Tensor;

/** Values between the host and tensors of a device, rounded on the host where the tensor's type is narrower. */
public final class CudaTransfer {
    private final Cuda cuda;
    /** What was uploaded last to each address that indices were uploaded to; nothing else writes them. */
    private final Map<Long, int[]> indices = new HashMap<>();

    public CudaTransfer(Cuda cuda) {
        this.cuda = cuda;
    }

    /** Overwrites all elements of a float32 or operand tensor in order. */
    public void upload(float[] values, Tensor to) {
        if (!Operands.isActivation(to) || values.length != to.shape().size()) {
            throw new IllegalArgumentException(values.length + " values into " + to);
        }
        copyIn(stored(values, to.type()), to);
    }

    /** Overwrites all elements of a contiguous {@code I32} tensor in order. */
    public void upload(int[] values, Tensor to) {
        if (to.type() != DType.I32 || values.length != to.shape().size() || !to.isContiguous()) {
            throw new IllegalArgumentException(values.length + " values into " + to);
        }
        copyIn(MemorySegment.ofArray(values), to);
        indices.put(to.data().address(), values.clone());
    }

    /** The elements of a contiguous {@code I32} tensor: without a wait for the device if they were uploaded here. */
    public int[] indices(Tensor from) {
        int[] values = indices.get(from.data().address());
        if (values == null || values.length != from.shape().size()) {
            values = new int[Math.toIntExact(from.shape().size())];
            cuda.copyOut(from.data().address(), MemorySegment.ofArray(values));
        }
        return values;
    }

    /** All elements in order as float32, rows with gaps closed up, into an array of as many. */
    public void download(Tensor from, float[] to) {
        if (to.length != from.shape().size()) {
            throw new IllegalArgumentException(from + " into " + to.length + " values");
        }
        if (to.length == 0) {
            return;
        }
        if (from.type() == DType.F32 && from.isContiguous()) {
            cuda.copyOut(from.data().address(), MemorySegment.ofArray(to));
            return;
        }
        long bytes = from.rowOffset(from.rows() - 1) + (long) from.cols() * from.type().bytes();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment copy = arena.allocate(bytes, 8);
            cuda.copyOut(from.data().address(), copy);
            new Tensor(copy, from.type(), from.shape(), from.rowStride()).copyTo(to);
        }
    }

    private void copyIn(MemorySegment values, Tensor to) {
        if (to.isContiguous()) {
            cuda.copyIn(values, to.data().address());
            return;
        }
        long row = (long) to.cols() * to.type().bytes();
        for (int r = 0; r < to.rows(); r++) {
            cuda.copyIn(values.asSlice(r * row, row), to.data().address() + to.rowOffset(r));
        }
    }

    private static MemorySegment stored(float[] values, DType type) {
        if (type == DType.F32) {
            return MemorySegment.ofArray(values);
        }
        short[] narrow = new short[values.length];
        for (int i = 0; i < values.length; i++) {
            narrow[i] = type == DType.BF16 ? FloatFormat.floatToBf16(values[i]) : FloatFormat.floatToF16(values[i]);
        }
        return MemorySegment.ofArray(narrow);
    }
}
