package jdiffusion.kernels.machine;

import static jdiffusion.kernels.machine.Gpr.R10;
import static jdiffusion.kernels.machine.Gpr.R11;
import static jdiffusion.kernels.machine.Gpr.RAX;
import static jdiffusion.kernels.machine.Gpr.RCX;
import static jdiffusion.kernels.machine.MachineFunction.A;
import static jdiffusion.kernels.machine.MachineFunction.A_OFFSET;

import java.lang.foreign.MemorySegment;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * Asks the CPU to bring rows into its second-level cache, or into the first to be written, while it computes something
 * else. It is a hint: nothing fails, not even where memory cannot be read.
 */
public final class Prefetch implements AutoCloseable {
    private static final int LINE = 64;

    private final MachineCall read;
    private final MachineCall write;

    /** On any x86-64 that has {@link CodeMemory}. */
    public Prefetch() {
        this(MachineFunction::new);
    }

    /** @param load makes a function out of what its writer emits */
    Prefetch(Function<Consumer<Assembler>, ? extends MachineCall> load) {
        read = load.apply(x -> rows(x, false));
        write = load.apply(x -> rows(x, true));
    }

    /** N lines of COUNT rows from A on, STRIDE bytes apart. */
    private static void rows(Assembler x, boolean write) {
        x.add(A, A_OFFSET);
        x.mov(R10, MachineFunction.STRIDE);
        x.mov(RAX, MachineFunction.COUNT);
        Label row = new Label();
        x.bind(row);
        x.mov(R11, A);
        x.mov(RCX, MachineFunction.N);
        Label line = new Label();
        x.bind(line);
        if (write) {
            x.prefetchw(Mem.at(R11));
        } else {
            x.prefetcht1(Mem.at(R11));
        }
        x.add(R11, LINE);
        x.sub(RCX, 1);
        x.jne(line);
        x.add(A, R10);
        x.sub(RAX, 1);
        x.jne(row);
        x.ret();
    }

    /**
     * Rows that will be read.
     *
     * @param offset of the first row, in bytes
     * @param stride distance of the rows in bytes
     * @param bytes  of a row
     */
    public void toRead(MemorySegment data, long offset, long stride, int rows, int bytes) {
        call(read, data, offset, stride, rows, bytes);
    }

    /** The same of rows that will be written. */
    public void toWrite(MemorySegment data, long offset, long stride, int rows, int bytes) {
        call(write, data, offset, stride, rows, bytes);
    }

    private static void call(MachineCall function, MemorySegment data, long offset, long stride, int rows, int bytes) {
        if (rows <= 0 || bytes <= 0) {
            return;
        }
        Objects.checkFromIndexSize(offset, Math.addExact(Math.multiplyExact(rows - 1L, stride), bytes), data.byteSize());
        function.call(data, offset, MemorySegment.NULL, 0, MemorySegment.NULL, 0, Math.ceilDiv(bytes, LINE), stride,
                rows);
    }

    @Override
    public void close() {
        read.close();
        write.close();
    }
}
