package jdiffusion.kernels.machine;

import static jdiffusion.kernels.machine.AmxCode.ROW_BYTES;
import static jdiffusion.kernels.machine.AmxCode.TILE;
import static jdiffusion.kernels.machine.Gpr.R10;
import static jdiffusion.kernels.machine.Gpr.R11;
import static jdiffusion.kernels.machine.Gpr.RAX;
import static jdiffusion.kernels.machine.Gpr.RBX;
import static jdiffusion.kernels.machine.Gpr.RCX;
import static jdiffusion.kernels.machine.MachineFunction.A;
import static jdiffusion.kernels.machine.MachineFunction.A_OFFSET;
import static jdiffusion.kernels.machine.MachineFunction.B;
import static jdiffusion.kernels.machine.MachineFunction.B_OFFSET;
import static jdiffusion.kernels.machine.MachineFunction.C;
import static jdiffusion.kernels.machine.MachineFunction.C_OFFSET;
import static jdiffusion.kernels.machine.Tmm.TMM4;
import static jdiffusion.kernels.machine.Tmm.TMM5;
import static jdiffusion.kernels.machine.Tmm.TMM6;
import static jdiffusion.kernels.machine.Tmm.TMM7;

/**
 * Attention's products on AMX's tiles: C [32 COUNT][columns] = or += A B in float32, where A is rows of 16 N words,
 * STRIDE bytes apart, and B [16 N][columns] of words, a word two bfloat16 of consecutive k. Neither N nor COUNT is 0.
 *
 * @param columns a multiple of 32
 * @param fresh   whether sums begin at 0, not at what C holds
 */
record AmxBlockCode(int columns, boolean fresh) {
    private static final int SIDE = 2 * TILE;
    private static final Gpr ROW_STRIDE = A_OFFSET;
    private static final Gpr WIDE_STRIDE = C_OFFSET;
    private static final Gpr UPPER = R11;
    private static final Gpr LOWER = R10;
    private static final Gpr RIGHT = RBX;
    private static final Gpr STEPS_LEFT = RCX;
    private static final Gpr ROWS_LEFT = RAX;

    void write(Assembler x) {
        x.add(A, A_OFFSET);
        x.add(B, B_OFFSET);
        x.add(C, C_OFFSET);
        x.mov(ROW_STRIDE, MachineFunction.STRIDE);
        x.mov(ROWS_LEFT, MachineFunction.COUNT);
        AmxCode.configure(x, R10);
        x.push(RBX);
        x.mov(WIDE_STRIDE, 4 * columns);
        Label rows = new Label();
        x.bind(rows);
        for (int column = 0; column < columns; column += SIDE) {
            block(x, 4 * column);
        }
        for (int half = 0; half < SIDE / 8; half++) {
            x.lea(A, Mem.at(A, ROW_STRIDE, 8));
        }
        x.add(C, SIDE * 4 * columns);
        x.sub(ROWS_LEFT, 1);
        x.jne(rows);
        x.tilerelease();
        x.pop(RBX);
        x.ret();
    }

    private void block(Assembler x, int at) {
        for (int i = 0; i < 4; i++) {
            if (fresh) {
                x.tilezero(sum(i));
            } else {
                x.tileloadd(sum(i), place(i, at));
            }
        }
        x.mov(UPPER, A);
        x.lea(LOWER, Mem.at(UPPER, ROW_STRIDE, 8));
        x.lea(LOWER, Mem.at(LOWER, ROW_STRIDE, 8));
        x.mov(RIGHT, B);
        // One push lies between the stack's top and the arguments.
        x.mov(STEPS_LEFT, MachineFunction.N.plus(8));
        Label step = new Label();
        x.bind(step);
        x.tileloadd(TMM4, Mem.at(UPPER, ROW_STRIDE, 1));
        x.tileloadd(TMM6, Mem.at(RIGHT, WIDE_STRIDE, 1).plus(at));
        x.tdpbf16ps(sum(0), TMM4, TMM6);
        x.tileloadd(TMM5, Mem.at(LOWER, ROW_STRIDE, 1));
        x.tdpbf16ps(sum(1), TMM5, TMM6);
        x.tileloadd(TMM7, Mem.at(RIGHT, WIDE_STRIDE, 1).plus(at + ROW_BYTES));
        x.tdpbf16ps(sum(2), TMM4, TMM7);
        x.tdpbf16ps(sum(3), TMM5, TMM7);
        x.add(UPPER, ROW_BYTES);
        x.add(LOWER, ROW_BYTES);
        x.add(RIGHT, TILE * 4 * columns);
        x.sub(STEPS_LEFT, 1);
        x.jne(step);
        for (int i = 0; i < 4; i++) {
            x.tilestored(place(i, at), sum(i));
        }
    }

    /** Upper and lower tile of the left columns, then of the right ones. */
    private Mem place(int i, int at) {
        return Mem.at(C, WIDE_STRIDE, 1).plus(at + i / 2 * ROW_BYTES + i % 2 * TILE * 4 * columns);
    }

    private static Tmm sum(int i) {
        return Tmm.values()[i];
    }
}
