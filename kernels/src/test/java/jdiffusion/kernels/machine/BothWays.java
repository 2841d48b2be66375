package jdiffusion.kernels.machine;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HexFormat;
import java.util.IdentityHashMap;
import java.util.Map;
import java.util.function.Consumer;

/**
 * A function that runs on this CPU, where it has what the function needs, and in the interpreter: both must leave the
 * same bytes in all segments.
 */
final class BothWays implements MachineCall {
    /** Of an address on the stack. */
    private static final String LDTILECFG = "c4e278490424";

    private final InterpretedFunction interpreted;
    private final MachineFunction real;

    /** @param level whose instructions the function has */
    BothWays(CpuLevel level, Consumer<Assembler> body) {
        interpreted = new InterpretedFunction(body);
        real = level.obstacle() == null ? new MachineFunction(body) : null;
    }

    /** A function that needs AMX if it gives tiles shapes, else AVX512_BF16. */
    static BothWays of(Consumer<Assembler> body) {
        Assembler x = new Assembler();
        body.accept(x);
        boolean tiles = HexFormat.of().formatHex(x.code()).contains(LDTILECFG);
        return new BothWays(tiles ? CpuLevel.AMX : CpuLevel.AVX512BF16, body);
    }

    @Override
    public void call(MemorySegment a, long aOffset, MemorySegment b, long bOffset, MemorySegment c, long cOffset,
                     long n, long stride, long count, long read, long readStride, long write, long writeStride) {
        if (real == null) {
            interpreted.call(a, aOffset, b, bOffset, c, cOffset, n, stride, count, read, readStride, write,
                    writeStride);
            return;
        }
        Map<Object, MemorySegment> copies = new IdentityHashMap<>();
        interpreted.call(copy(copies, a), aOffset, copy(copies, b), bOffset, copy(copies, c), cOffset, n, stride,
                count, read, readStride, write, writeStride);
        real.call(a, aOffset, b, bOffset, c, cOffset, n, stride, count, read, readStride, write, writeStride);
        for (MemorySegment segment : new MemorySegment[] {a, b, c}) {
            if (!segment.equals(MemorySegment.NULL)) {
                assertThat(copy(copies, segment).toArray(ValueLayout.JAVA_BYTE)).as("interpreted and run")
                        .isEqualTo(segment.toArray(ValueLayout.JAVA_BYTE));
            }
        }
    }

    /** One copy for all segments of the same array. */
    private static MemorySegment copy(Map<Object, MemorySegment> copies, MemorySegment of) {
        return of.equals(MemorySegment.NULL) ? of : copies.computeIfAbsent(of.heapBase().orElse(of),
                base -> MemorySegment.ofArray(of.toArray(ValueLayout.JAVA_BYTE)));
    }

    @Override
    public void close() {
        if (real != null) {
            real.close();
        }
    }
}
