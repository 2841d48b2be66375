package jdiffusion.kernels.machine;

import static jdiffusion.kernels.machine.Gpr.RAX;
import static jdiffusion.kernels.machine.MachineFunction.A;
import static jdiffusion.kernels.machine.MachineFunction.A_OFFSET;
import static jdiffusion.kernels.machine.MachineFunction.B;
import static jdiffusion.kernels.machine.MachineFunction.B_OFFSET;
import static jdiffusion.kernels.machine.MachineFunction.C;
import static jdiffusion.kernels.machine.MachineFunction.C_OFFSET;
import static jdiffusion.kernels.machine.MachineFunction.N;
import static jdiffusion.kernels.machine.MachineFunction.STRIDE;

/** Float32 rounded to bfloat16, to nearest even, subnormal numbers to zero, as machine code with AVX512_BF16. */
final class RoundCode {
    /** Words of 32 bits, pairs of bfloat16, of a vector. */
    static final int WORDS = 16;
    private static final Vec LOW = Vec.zmm(0);
    private static final Vec HIGH = Vec.zmm(1);
    private static final Vec ORDER = Vec.zmm(2);
    private static final Gpr ROW = Gpr.R10;
    private static final Gpr LEFT = Gpr.R11;

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

    /**
     * Rows of STRIDE bytes, not 0 and whole vectors, 2 N of them from A on, become N rows of words from C on, each
     * word of two numbers one below the other; B holds {@link #interleave}. C may be A.
     */
    static void columns(Assembler x) {
        x.add(A, A_OFFSET);
        x.add(B, B_OFFSET);
        x.add(C, C_OFFSET);
        x.mov(RAX, N);
        x.mov(ROW, STRIDE);
        x.vmovups(ORDER, Mem.at(B));
        Label row = new Label();
        Label vector = new Label();
        x.bind(row);
        x.mov(LEFT, ROW);
        x.bind(vector);
        x.vmovups(HIGH, Mem.at(A, ROW, 1));
        x.vcvtne2ps2bf16(LOW, HIGH, Mem.at(A));
        x.vpermw(LOW, ORDER, LOW);
        x.vmovups(Mem.at(C), LOW);
        x.add(A, LOW.bytes());
        x.add(C, LOW.bytes());
        x.sub(LEFT, LOW.bytes());
        x.jne(vector);
        x.add(A, ROW);
        x.sub(RAX, 1);
        x.jne(row);
        x.vzeroupper();
        x.ret();
    }
}
