package jdiffusion.tensor;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * The only source of temporaries: memory handed out by a bump pointer and given back by scopes.
 *
 * <p>Memory grows in slabs and stays until {@link #close()}, so a loop that asks for the same tensors again touches
 * the allocator only in its first round. New memory is zero; memory handed out again holds what was there before.
 * Not thread-safe: one pipeline, one workspace.
 */
public final class Workspace implements AutoCloseable {
    private static final long ALIGNMENT = 64;
    private static final long FIRST_SLAB = 4L << 20;
    private static final long LARGEST_STEP = 256L << 20;

    private final Source source;
    private final DType operandType;
    private final DType wideOperandType;
    private final List<MemorySegment> slabs = new ArrayList<>();
    private int slab = -1;
    private long offset;
    private long used;
    private long peak;
    private long reserved;

    /** Where slabs come from: the host's memory or a device's. */
    public interface Source extends AutoCloseable {
        /**
         * New memory, zeroed, aligned to 64 bytes.
         *
         * @throws OutOfMemoryError when there is none left
         */
        MemorySegment reserve(long bytes);

        /** Gives back all that was reserved. */
        @Override
        void close();
    }

    /**
     * @param operandType     see {@link #operand}
     * @param wideOperandType see {@link #wideOperand}
     */
    public Workspace(Source source, DType operandType, DType wideOperandType) {
        this.source = source;
        this.operandType = operandType;
        this.wideOperandType = wideOperandType;
    }

    /** A workspace in native host memory, where every activation is float32. */
    public static Workspace onHost() {
        Arena arena = Arena.ofShared();
        return new Workspace(new Source() {
            @Override
            public MemorySegment reserve(long bytes) {
                return arena.allocate(bytes, ALIGNMENT);
            }

            @Override
            public void close() {
                arena.close();
            }
        }, DType.F32, DType.F32);
    }

    /** An uninitialised contiguous tensor that lives until the enclosing scope, or the workspace, is closed. */
    public Tensor allocate(DType type, int... dims) {
        Shape shape = Shape.of(dims);
        return Tensor.of(bytes(Math.multiplyExact(shape.size(), type.bytes())), type, shape);
    }

    /** An uninitialised float32 tensor. */
    public Tensor f32(int... dims) {
        return allocate(DType.F32, dims);
    }

    /**
     * An uninitialised tensor of the type in which the device reads the inputs of matrix products and attention:
     * what only such an operation reads costs half the memory traffic in 16 bits, and no accuracy, as it would be
     * rounded then anyway.
     */
    public Tensor operand(int... dims) {
        return allocate(operandType, dims);
    }

    /** The same for values that overflow float16, such as those of T5 and the VAE. */
    public Tensor wideOperand(int... dims) {
        return allocate(wideOperandType, dims);
    }

    public DType wideOperandType() {
        return wideOperandType;
    }

    private MemorySegment bytes(long size) {
        long rounded = Math.max(ALIGNMENT, Math.ceilDiv(size, ALIGNMENT) * ALIGNMENT);
        while (slab < 0 || offset + rounded > slabs.get(slab).byteSize()) {
            if (slab + 1 == slabs.size()) {
                long step = Math.clamp(reserved, FIRST_SLAB, LARGEST_STEP);
                long bytes = Math.max(step, rounded);
                slabs.add(reserve(bytes));
                reserved += bytes;
            }
            slab++;
            offset = 0;
        }
        MemorySegment segment = slabs.get(slab).asSlice(offset, size);
        offset += rounded;
        used += rounded;
        peak = Math.max(peak, used);
        return segment;
    }

    private MemorySegment reserve(long bytes) {
        try {
            return source.reserve(bytes);
        } catch (OutOfMemoryError e) {
            throw new InputException("out of memory: " + (bytes >> 20) + " MiB more are needed beside the "
                    + (reserved >> 20) + " MiB in use; a smaller size or batch needs less", e);
        }
    }

    /** Marks this point; closing the scope gives back everything allocated since. */
    public Scope scope() {
        return new Scope(this, slab, offset, used);
    }

    /** Bytes handed out now. */
    public long used() {
        return used;
    }

    /** The most bytes that were handed out at any time. */
    public long peak() {
        return peak;
    }

    /** Bytes taken from the system. */
    public long reserved() {
        return reserved;
    }

    @Override
    public void close() {
        source.close();
    }

    /** A mark in a workspace. Scopes nest; close them in reverse order (try-with-resources does). */
    public static final class Scope implements AutoCloseable {
        private final Workspace workspace;
        private final int slab;
        private final long offset;
        private final long used;

        private Scope(Workspace workspace, int slab, long offset, long used) {
            this.workspace = workspace;
            this.slab = slab;
            this.offset = offset;
            this.used = used;
        }

        @Override
        public void close() {
            workspace.slab = slab;
            workspace.offset = offset;
            workspace.used = used;
        }
    }
}
