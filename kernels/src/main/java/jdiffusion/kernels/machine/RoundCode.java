package jdiffusion.kernels.machine;

import static jdiffusion.kernels.machine.Gpr.RAX;
import static jdiffusion.kernels.machine.MachineFunction.A;
import static jdiffusion.kernels.machine.MachineFunction.A_OFFSET;
import static jdiffusion.kernels.machine.MachineFunction.C;
import static jdiffusion.kernels.machine.MachineFunction.C_OFFSET;
import static jdiffusion.kernels.machine.MachineFunction.N;

/** Float32 rounded to bfloat16, to nearest even, subnormal numbers to zero, as machine code with AVX512_BF16. */
final class RoundCode {
    /** Words of 32 bits, pairs of bfloat16, of a vector. */
    static final int WORDS = 16;
    private static final Vec LOW = Vec.zmm(0);
    private static final Vec HIGH = Vec.zmm(1);

    private RoundCode() {
    }

    /** Lanes of 16 bits of two vectors one after the other, put by turns. */
    static short[] interleave() {
        short[] order = new short[2 * WORDS];
        for (int i = 0; i < WORDS; i++) {
            order[2 * i] = (short) i;
            order[2 * i + 1] = (short) (WORDS + i);
        }
        return order;
    }

    /** N words, a multiple of 16 and not 0, to C from twice as many floats from A on. */
    static void pairs(Assembler x) {
        x.add(A, A_OFFSET);
        x.add(C, C_OFFSET);
        x.mov(RAX, N);
        Label loop = new Label();
        x.bind(loop);
        x.vmovups(HIGH, Mem.at(A, LOW.bytes()));
        x.vcvtne2ps2bf16(LOW, HIGH, Mem.at(A));
        x.vmovups(Mem.at(C), LOW);
        x.add(A, 2 * LOW.bytes());
        x.add(C, LOW.bytes());
        x.sub(RAX, WORDS);
        x.jne(loop);
        x.vzeroupper();
        x.ret();
    }
}
