package jdiffusion.kernels.machine;

import static jdiffusion.kernels.machine.AmxTiles.ROW_BYTES;
import static jdiffusion.kernels.machine.Gpr.R10;
import static jdiffusion.kernels.machine.Gpr.R11;
import static jdiffusion.kernels.machine.Gpr.RAX;
import static jdiffusion.kernels.machine.MachineFunction.A;
import static jdiffusion.kernels.machine.MachineFunction.A_OFFSET;
import static jdiffusion.kernels.machine.MachineFunction.B;
import static jdiffusion.kernels.machine.MachineFunction.B_OFFSET;
import static jdiffusion.kernels.machine.MachineFunction.C;
import static jdiffusion.kernels.machine.MachineFunction.COUNT;
import static jdiffusion.kernels.machine.MachineFunction.C_OFFSET;
import static jdiffusion.kernels.machine.MachineFunction.N;
import static jdiffusion.kernels.machine.MachineFunction.READ;
import static jdiffusion.kernels.machine.MachineFunction.STRIDE;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Float32 split into parts, see {@link Parts}, with AVX512_BF16: COUNT rows of 32 N numbers from A on, STRIDE bytes
 * apart, to rows [N][part][32] of bfloat16 from C on, READ bytes apart. B holds {@link #constants}. A part is the rest
 * so far, rounded to nearest even, and the rest without it is exact.
 */
record AmxSplitCode(int parts) {
    private static final int WORDS = 16;
    private static final int UPPER_HALF = 0xffff0000;
    private static final Gpr ROWS_LEFT = RAX;
    private static final Gpr ROW = R10;
    private static final Gpr TO = R11;
    private static final Gpr STEPS_LEFT = A_OFFSET;
    private static final Gpr APART = C_OFFSET;
    private static final Gpr ROWS_APART = B_OFFSET;
    private static final Vec LOW = Vec.zmm(0);
    private static final Vec HIGH = Vec.zmm(1);
    private static final Vec PART = Vec.zmm(2);
    private static final Vec WIDE = Vec.zmm(3);
    private static final Vec FIRST_HALF = Vec.zmm(4);
    private static final Vec SECOND_HALF = Vec.zmm(5);

    /** Twice each of the first 16 lanes of 16 bits, twice each of the others, and a mask of upper halves. */
    static MemorySegment constants() {
        MemorySegment words = Arena.ofAuto().allocate(3 * ROW_BYTES, ROW_BYTES);
        for (int i = 0; i < WORDS; i++) {
            words.setAtIndex(ValueLayout.JAVA_INT, i, i | i << 16);
            words.setAtIndex(ValueLayout.JAVA_INT, WORDS + i, WORDS + i | WORDS + i << 16);
            words.setAtIndex(ValueLayout.JAVA_INT, 2 * WORDS + i, UPPER_HALF);
        }
        return words;
    }

    void write(Assembler x) {
        x.add(A, A_OFFSET);
        x.add(B, B_OFFSET);
        x.add(C, C_OFFSET);
        x.mov(ROWS_LEFT, COUNT);
        x.mov(APART, STRIDE);
        x.vmovups(FIRST_HALF, Mem.at(B));
        x.vmovups(SECOND_HALF, Mem.at(B, ROW_BYTES));
        Label row = new Label();
        x.bind(row);
        x.mov(ROW, A);
        x.mov(TO, C);
        x.mov(STEPS_LEFT, N);
        Label step = new Label();
        x.bind(step);
        x.vmovups(LOW, Mem.at(ROW));
        x.vmovups(HIGH, Mem.at(ROW, ROW_BYTES));
        for (int part = 0; part < parts; part++) {
            x.vcvtne2ps2bf16(PART, HIGH, LOW);
            x.vmovups(Mem.at(TO, part * ROW_BYTES), PART);
            if (part + 1 < parts) {
                subtract(x, LOW, FIRST_HALF);
                subtract(x, HIGH, SECOND_HALF);
            }
        }
        x.add(ROW, 2 * ROW_BYTES);
        x.add(TO, parts * ROW_BYTES);
        x.sub(STEPS_LEFT, 1);
        x.jne(step);
        x.add(A, APART);
        x.mov(ROWS_APART, READ);
        x.add(C, ROWS_APART);
        x.sub(ROWS_LEFT, 1);
        x.jne(row);
        x.vzeroupper();
        x.ret();
    }

    private static void subtract(Assembler x, Vec rest, Vec half) {
        x.vpermw(WIDE, half, PART);
        x.vpandd(WIDE, WIDE, Mem.at(B, 2 * ROW_BYTES));
        x.vsubps(rest, rest, WIDE);
    }
}
