package jdiffusion.kernels.machine;

import static jdiffusion.kernels.machine.AmxTiles.ROW_BYTES;
import static jdiffusion.kernels.machine.Gpr.R10;
import static jdiffusion.kernels.machine.Gpr.R11;
import static jdiffusion.kernels.machine.Gpr.R12;
import static jdiffusion.kernels.machine.Gpr.R13;
import static jdiffusion.kernels.machine.Gpr.R14;
import static jdiffusion.kernels.machine.Gpr.R15;
import static jdiffusion.kernels.machine.Gpr.RAX;
import static jdiffusion.kernels.machine.Gpr.RBP;
import static jdiffusion.kernels.machine.Gpr.RBX;
import static jdiffusion.kernels.machine.Gpr.RCX;
import static jdiffusion.kernels.machine.Gpr.RDI;
import static jdiffusion.kernels.machine.Gpr.RSP;
import static jdiffusion.kernels.machine.MachineFunction.A;
import static jdiffusion.kernels.machine.MachineFunction.A_OFFSET;
import static jdiffusion.kernels.machine.MachineFunction.B;
import static jdiffusion.kernels.machine.MachineFunction.B_OFFSET;
import static jdiffusion.kernels.machine.MachineFunction.C;
import static jdiffusion.kernels.machine.MachineFunction.C_OFFSET;

/**
 * The inner loops of matrix products on AMX's tiles: 32 rows A, STRIDE bytes apart, by a panel B of COUNT blocks of 32
 * columns, [block][N steps][two tiles], into sums C [block]; see {@link AmxBlock}. Neither N nor COUNT is 0.
 *
 * <p>Meanwhile rows of A that will be needed next come into the second-level cache, with block i lines of rows i, i +
 * 8, i + 16 and i + 24 from READ on; sums of the next block into the first; and from WRITE on what {@link Beside} says,
 * in the same order.
 *
 * @param fresh  whether sums begin at 0, not at what C holds
 * @param beside what lies at WRITE
 * @param parts  of A's and B's numbers; a call has fewer steps where A has more of them, each of which asks for more
 */
record AmxPanelCode(boolean fresh, Beside beside, Parts parts) {
    private static final Gpr BLOCKS_LEFT = RAX;
    private static final AmxBlock BLOCK = new AmxBlock(R11, R10, A_OFFSET, B, C, C_OFFSET, RCX);
    private static final Gpr READING = R12;
    private static final Gpr READ_APART = R13;
    private static final Gpr READ_LAST = R14;
    /** A's register, once its address is on the stack. */
    private static final Gpr NEXT_SUMS = RDI;
    private static final Gpr OTHER = RBX;
    private static final Gpr OTHER_APART = RBP;
    private static final Gpr OTHER_LAST = R15;
    private static final Gpr[] SAVED = {RBX, RBP, R12, R13, R14, R15, A};
    private static final int LINE = 64;

    void write(Assembler x) {
        x.add(A, A_OFFSET);
        x.add(B, B_OFFSET);
        x.add(C, C_OFFSET);
        x.mov(BLOCK.rowStride(), MachineFunction.STRIDE);
        x.mov(BLOCKS_LEFT, MachineFunction.COUNT);
        AmxTiles.configure(x, R10);
        for (Gpr register : SAVED) {
            x.push(register);
        }
        x.mov(BLOCK.tileStride(), ROW_BYTES);
        rowsApart(x, MachineFunction.READ_STRIDE, READ_APART, READ_LAST);
        if (beside != Beside.NOTHING) {
            rowsApart(x, MachineFunction.WRITE_STRIDE, OTHER_APART, OTHER_LAST);
        }
        Label block = new Label();
        x.bind(block);
        x.mov(BLOCK.upper(), Mem.at(RSP));
        nextRow(x, READING, MachineFunction.READ, MachineFunction.READ_STRIDE);
        if (beside != Beside.NOTHING) {
            nextRow(x, OTHER, MachineFunction.WRITE, MachineFunction.WRITE_STRIDE);
        }
        x.lea(NEXT_SUMS, Mem.at(C, AmxBlock.BYTES));
        BLOCK.begin(x, fresh);
        BLOCK.steps(x, parts, argument(MachineFunction.N), () -> lookAhead(x));
        BLOCK.end(x);
        x.add(C, AmxBlock.BYTES);
        x.sub(BLOCKS_LEFT, 1);
        x.jne(block);
        x.tilerelease();
        for (int i = SAVED.length - 1; i >= 0; i--) {
            x.pop(SAVED[i]);
        }
        x.ret();
    }

    /** Eight times and 24 times the distance of rows. */
    private static void rowsApart(Assembler x, Mem stride, Gpr apart, Gpr last) {
        x.mov(apart, argument(stride));
        for (int i = 0; i < 3; i++) {
            x.add(apart, apart);
        }
        x.lea(last, Mem.at(apart, apart, 2));
    }

    /** The row for this block; the argument, which is the function's own, goes on to that of the next. */
    private static void nextRow(Assembler x, Gpr to, Mem row, Mem stride) {
        x.mov(to, argument(row));
        x.mov(NEXT_SUMS, argument(stride));
        x.add(NEXT_SUMS, to);
        x.mov(argument(row), NEXT_SUMS);
    }

    private void lookAhead(Assembler x) {
        for (int part = 0; part < parts.left(); part++) {
            lookAhead(x, beside == Beside.ROWS && part > 0 ? Beside.NOTHING : beside);
        }
    }

    private static void lookAhead(Assembler x, Beside beside) {
        x.prefetcht1(Mem.at(READING));
        x.prefetcht1(Mem.at(READING, READ_APART, 1));
        x.prefetcht1(Mem.at(READING, READ_APART, 2));
        x.prefetcht1(Mem.at(READING, READ_LAST, 1));
        x.add(READING, LINE);
        for (int line = 0; line < 4; line++) {
            x.prefetchw(Mem.at(NEXT_SUMS, line * LINE));
        }
        x.add(NEXT_SUMS, 4 * LINE);
        for (Mem row : new Mem[] {Mem.at(OTHER), Mem.at(OTHER, OTHER_APART, 1), Mem.at(OTHER, OTHER_APART, 2),
            Mem.at(OTHER, OTHER_LAST, 1)}) {
            switch (beside) {
                case NOTHING -> { }
                case ROWS -> x.prefetcht1(row);
                case FLOATS, HALVES -> x.prefetchw(row);
            }
        }
        if (beside != Beside.NOTHING) {
            // A panel's row of bfloat16 has half as many lines as there are steps in a part: each is asked for twice.
            x.add(OTHER, beside == Beside.HALVES ? LINE / 2 : LINE);
        }
    }

    /** An argument where registers were saved. */
    private static Mem argument(Mem place) {
        return place.plus(SAVED.length * Long.BYTES);
    }
}
