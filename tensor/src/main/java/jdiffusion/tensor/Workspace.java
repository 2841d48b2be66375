package jdiffusion.tensor;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The only source of temporaries: one piece of memory, handed out by a bump pointer and given back by scopes.
 *
 * <p>Its size is found beforehand by running the same work on a {@linkplain #counting counting} workspace, which has
 * no memory. New memory is zero; memory handed out again holds what was there before. Not thread-safe: one pipeline,
 * one workspace.
 */
public final class Workspace implements AutoCloseable {
    private static final long ALIGNMENT = 64;

    private final MemorySegment memory;
    private final Runnable release;
    private final DType operandType;
    private final DType wideOperandType;
    private long used;
    private long peak;

    /**
     * @param memory          zeroed, aligned to 64 bytes
     * @param release         gives the memory back
     * @param operandType     see {@link #operand}
     * @param wideOperandType see {@link #wideOperand}
     */
    public Workspace(MemorySegment memory, Runnable release, DType operandType, DType wideOperandType) {
        this.memory = memory;
        this.release = release;
        this.operandType = operandType;
        this.wideOperandType = wideOperandType;
    }

    /** A workspace in native host memory, where every activation is float32. */
    public static Workspace onHost(long bytes) {
        return onHost(bytes, (size, arena) -> arena.allocate(size, ALIGNMENT), () -> { }, DType.F32, DType.F32);
    }

    /** Where host memory comes from. */
    @FunctionalInterface
    public interface Source {
        /**
         * Zeros, aligned to 64 bytes, that live as long as the arena.
         *
         * @throws OutOfMemoryError when there is not enough memory
         */
        MemorySegment zeros(long bytes, Arena arena);
    }

    /**
     * The same with operands of other types, and with something to do after it was given back.
     *
     * @param operandType     see {@link #operand}
     * @param wideOperandType see {@link #wideOperand}
     */
    public static Workspace onHost(long bytes, Source source, Runnable afterwards, DType operandType,
                                   DType wideOperandType) {
        Arena arena = Arena.ofShared();
        try {
            return new Workspace(source.zeros(bytes, arena), () -> {
                arena.close();
                afterwards.run();
            }, operandType, wideOperandType);
        } catch (OutOfMemoryError e) {
            arena.close();
            throw new InputException("out of memory: " + Math.ceilDiv(bytes, 1L << 20)
                    + " MiB are needed for temporaries; a smaller size or batch needs less", e);
        }
    }

    /** Without memory and without end: only its {@link #peak} is of use. */
    public static Workspace counting(DType operandType, DType wideOperandType) {
        return new Workspace(Unreadable.nothing(), () -> { }, operandType, wideOperandType);
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
        if (rounded > memory.byteSize() - used) {
            throw new IllegalStateException("a workspace of " + memory.byteSize() + " bytes, of which " + used
                    + " are in use, was asked for " + rounded + " more than it was counted to need");
        }
        MemorySegment segment = memory.asSlice(used, size);
        used += rounded;
        peak = Math.max(peak, used);
        return segment;
    }

    /** Marks this point; closing the scope gives back everything allocated since. */
    public Scope scope() {
        return new Scope(this, used);
    }

    /** Bytes handed out now. */
    public long used() {
        return used;
    }

    /** The most bytes that were handed out at any time. */
    public long peak() {
        return peak;
    }

    @Override
    public void close() {
        release.run();
    }

    /** A mark in a workspace. Scopes nest; close them in reverse order (try-with-resources does). */
    public static final class Scope implements AutoCloseable {
        private final Workspace workspace;
        private final long used;

        private Scope(Workspace workspace, long used) {
            this.workspace = workspace;
            this.used = used;
        }

        @Override
        public void close() {
            workspace.used = used;
        }
    }
}
