package jdiffusion.kernels.machine;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.function.Consumer;

/**
 * An emitted function of three places in memory and three numbers, all that our kernels need, in the C convention of
 * Linux on x86-64 (System V ABI, 3.2.3).
 *
 * <p>Places are a segment and an offset in bytes; segments may be arrays. A call does not tell the JVM that it left
 * Java, so arrays stay where they are, and a garbage collection waits for its end: a call must not take longer than
 * some tens of microseconds. The function checks nothing: whoever calls has checked that all it touches lies within
 * the segments.
 */
final class MachineFunction implements MachineCall {
    /** Where a function finds its arguments; it may overwrite all registers but RBX, RBP, RSP and R12 to R15. */
    static final Gpr A = Gpr.RDI;
    static final Gpr A_OFFSET = Gpr.RSI;
    static final Gpr B = Gpr.RDX;
    static final Gpr B_OFFSET = Gpr.RCX;
    static final Gpr C = Gpr.R8;
    static final Gpr C_OFFSET = Gpr.R9;
    static final Mem N = Mem.at(Gpr.RSP, 8);
    static final Mem STRIDE = Mem.at(Gpr.RSP, 16);
    static final Mem COUNT = Mem.at(Gpr.RSP, 24);
    static final Mem READ = Mem.at(Gpr.RSP, 32);
    static final Mem READ_STRIDE = Mem.at(Gpr.RSP, 40);
    static final Mem WRITE = Mem.at(Gpr.RSP, 48);
    static final Mem WRITE_STRIDE = Mem.at(Gpr.RSP, 56);

    private static final MethodHandle CALL = Linker.nativeLinker().downcallHandle(FunctionDescriptor.ofVoid(ADDRESS,
            JAVA_LONG, ADDRESS, JAVA_LONG, ADDRESS, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG,
            JAVA_LONG, JAVA_LONG),
            Linker.Option.critical(true));

    private final CodeMemory memory;
    private final MemorySegment start;

    /** @param body writes the function, its return included */
    MachineFunction(Consumer<Assembler> body) {
        Assembler assembler = new Assembler();
        body.accept(assembler);
        memory = new CodeMemory(assembler.code());
        start = memory.start();
    }

    @Override
    public void call(MemorySegment a, long aOffset, MemorySegment b, long bOffset, MemorySegment c, long cOffset,
                     long n, long stride, long count, long read, long readStride, long write, long writeStride) {
        try {
            CALL.invokeExact(start, a, aOffset, b, bOffset, c, cOffset, n, stride, count, read, readStride, write,
                    writeStride);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public void close() {
        memory.close();
    }
}
