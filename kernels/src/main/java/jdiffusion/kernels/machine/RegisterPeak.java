package jdiffusion.kernels.machine;

import static jdiffusion.kernels.machine.Gpr.RAX;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * Multiply-adds on registers alone, as machine code: what a level's products would reach if operands came for
 * nothing. There are enough sums side by side that none waits for the one before. Of the level AMX it is the peak of
 * vectors, not of tiles.
 */
public final class RegisterPeak implements AutoCloseable {
    private static final int SUMS = 12;
    private static final int UNROLLED = 4;
    /** Some microseconds. */
    private static final int ROUNDS = 1_000;
    private static final int LANES = 16;

    private final int bits;
    private final boolean pairs;
    private final int rounds;
    private final MachineCall function;
    /** Pairs of bfloat16 are small numbers too. */
    private final MemorySegment values;

    /**
     * @param level one without an obstacle, not VECTOR
     * @param pairs whether words are pairs of bfloat16; of AVX512BF16 only
     */
    public RegisterPeak(CpuLevel level, boolean pairs) {
        this(level, pairs, ROUNDS, MachineFunction::new);
    }

    /** @param load makes a function out of what its writer emits */
    RegisterPeak(CpuLevel level, boolean pairs, int rounds, Function<Consumer<Assembler>, ? extends MachineCall> load) {
        bits = level.bits();
        this.pairs = pairs;
        this.rounds = rounds;
        float[] ones = new float[LANES];
        Arrays.fill(ones, 0.5f);
        values = MemorySegment.ofArray(ones);
        function = load.apply(this::write);
    }

    private void write(Assembler x) {
        x.add(MachineFunction.A, MachineFunction.A_OFFSET);
        x.mov(RAX, MachineFunction.N);
        Vec left = new Vec(SUMS, bits);
        Vec right = new Vec(SUMS + 1, bits);
        for (int i = 0; i < SUMS + 2; i++) {
            x.vmovups(new Vec(i, bits), Mem.at(MachineFunction.A));
        }
        Label loop = new Label();
        x.bind(loop);
        for (int i = 0; i < SUMS * UNROLLED; i++) {
            Vec sum = new Vec(i % SUMS, bits);
            if (pairs) {
                x.vdpbf16ps(sum, left, right);
            } else {
                x.vfmadd231ps(sum, left, right);
            }
        }
        x.sub(RAX, 1);
        x.jne(loop);
        x.vzeroupper();
        x.ret();
    }

    /**
     * Computes for some microseconds.
     *
     * @return floating-point operations that were done
     */
    public long run() {
        function.call(values, 0, MemorySegment.NULL, 0, MemorySegment.NULL, 0, rounds, 0, 0);
        return 2L * rounds * UNROLLED * SUMS * (bits / 32) * (pairs ? 2 : 1);
    }

    @Override
    public void close() {
        function.close();
    }
}
