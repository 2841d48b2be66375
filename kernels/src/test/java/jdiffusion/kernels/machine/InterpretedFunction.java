package jdiffusion.kernels.machine;

import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;

/** A function of the same bytes as a {@link MachineFunction}'s, on a CPU that is a program: {@link Interpreter}. */
final class InterpretedFunction implements MachineCall {
    private final byte[] code;
    private final TileCount tiles;
    private long flops;

    InterpretedFunction(Consumer<Assembler> body) {
        this(body, null);
    }

    /** @param tiles of what is done with tiles, which then must lie within cache lines; null for tiles anywhere */
    InterpretedFunction(Consumer<Assembler> body, TileCount tiles) {
        this.tiles = tiles;
        Assembler assembler = new Assembler();
        body.accept(assembler);
        code = assembler.code();
    }

    @Override
    public void call(MemorySegment a, long aOffset, MemorySegment b, long bOffset, MemorySegment c, long cOffset,
                     long n, long stride, long count, long read, long readStride, long write, long writeStride) {
        Interpreter interpreter = new Interpreter(code, tiles);
        interpreter.call(a, aOffset, b, bOffset, c, cOffset, n, stride, count, read, readStride, write, writeStride);
        flops += interpreter.flops();
    }

    /** Multiplications and additions of all multiply-adds of all calls so far. */
    long flops() {
        return flops;
    }

    @Override
    public void close() {
    }
}
