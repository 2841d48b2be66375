package jdiffusion.kernels.machine;

import static jdiffusion.kernels.machine.AmxTiles.ROW_BYTES;
import static jdiffusion.kernels.machine.AmxTiles.TILE;
import static jdiffusion.kernels.machine.AmxTiles.TILE_BYTES;
import static jdiffusion.kernels.machine.Gpr.R10;
import static jdiffusion.kernels.machine.Gpr.R11;
import static jdiffusion.kernels.machine.Gpr.RAX;
import static jdiffusion.kernels.machine.MachineFunction.A;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import java.util.function.Function;
import jdiffusion.tensor.FloatFormat;

/**
 * The loop of {@link AmxBlock} on the same four tiles of operands again and again, which the first-level cache keeps:
 * what products on tiles would reach if every operand were in it. The operands are random, since a CPU takes less power
 * for zeros, or the same number everywhere, and then runs faster than any product of weights does.
 */
public final class TilePeak implements AutoCloseable {
    /** Some tens of microseconds. */
    private static final int ROUNDS = 500;
    private static final long FLOPS_OF_TILES = 2L * TILE * TILE * 2 * TILE;

    private final int rounds;
    private final MachineCall function;
    private final MemorySegment operands = Arena.ofAuto().allocate(4 * TILE_BYTES, ROW_BYTES);

    /** For this CPU, where {@link CpuLevel#AMX} has no obstacle. */
    public TilePeak() {
        this(ROUNDS, AmxPanels.onThisCpu());
    }

    /** @param load makes a function out of what its writer emits */
    TilePeak(int rounds, Function<Consumer<Assembler>, ? extends MachineCall> load) {
        this.rounds = rounds;
        SplittableRandom random = new SplittableRandom(1);
        for (long at = 0; at < operands.byteSize(); at += Short.BYTES) {
            operands.set(ValueLayout.JAVA_SHORT, at, FloatFormat.floatToBf16((float) random.nextGaussian()));
        }
        function = load.apply(TilePeak::write);
    }

    private static void write(Assembler x) {
        x.add(A, MachineFunction.A_OFFSET);
        x.mov(RAX, MachineFunction.N);
        AmxTiles.configure(x, R10);
        x.mov(R11, ROW_BYTES);
        Tmm[] tiles = Tmm.values();
        for (int i = 0; i < 4; i++) {
            x.tilezero(tiles[i]);
        }
        Label loop = new Label();
        x.bind(loop);
        for (int i = 0; i < 4; i++) {
            x.tileloadd(tiles[4 + i], Mem.at(A, R11, 1).plus(i * TILE_BYTES));
        }
        for (int i = 0; i < 4; i++) {
            x.tdpbf16ps(tiles[i], tiles[4 + i % 2], tiles[6 + i / 2]);
        }
        x.sub(RAX, 1);
        x.jne(loop);
        x.tilerelease();
        x.ret();
    }

    /**
     * Computes for some microseconds, on sums that begin at 0.
     *
     * @return floating-point operations that were done
     */
    public long run() {
        function.call(operands, 0, MemorySegment.NULL, 0, MemorySegment.NULL, 0, rounds, 0, 0);
        return 4 * rounds * FLOPS_OF_TILES;
    }

    @Override
    public void close() {
        function.close();
    }
}
