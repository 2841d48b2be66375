package jdiffusion.kernels.machine;

import static jdiffusion.kernels.machine.Gpr.R10;
import static jdiffusion.kernels.machine.Gpr.R11;
import static jdiffusion.kernels.machine.Gpr.RAX;
import static jdiffusion.kernels.machine.Gpr.RCX;
import static jdiffusion.kernels.machine.Gpr.RDI;
import static jdiffusion.kernels.machine.Gpr.RSI;
import static jdiffusion.kernels.machine.MachineFunction.A;
import static jdiffusion.kernels.machine.MachineFunction.A_OFFSET;
import static jdiffusion.kernels.machine.MachineFunction.B;
import static jdiffusion.kernels.machine.MachineFunction.B_OFFSET;
import static jdiffusion.kernels.machine.MachineFunction.C;
import static jdiffusion.kernels.machine.MachineFunction.COUNT;
import static jdiffusion.kernels.machine.MachineFunction.C_OFFSET;
import static jdiffusion.kernels.machine.MachineFunction.N;
import static jdiffusion.kernels.machine.MachineFunction.STRIDE;

/**
 * The inner loop of matrix products as machine code: C [6 COUNT][columns] += A B in float32.
 *
 * <p>A is rows of words of 32 bits, STRIDE bytes apart; B a panel [N][columns] of words; N is even, neither is 0. A
 * word is a float32, or two bfloat16 of consecutive k, the first in the lower half. Each sum is one chain in the order
 * of k. A block of 6 rows by as many columns as fill the registers is summed at a time: of 512 bits 24 sums, 4 of B and
 * the word of A, of 256 bits 12, 2 and 1.
 *
 * @param bits    of a vector, at most 32 * columns
 * @param columns a multiple of a vector's floats
 * @param pairs   whether words are pairs of bfloat16
 * @param start   what the sums begin at; {@link Start#ZERO} only with AVX-512
 * @param ahead   whether to bring into the caches what {@link Ahead} has; only where one block has all columns
 */
record ProductCode(int bits, int columns, boolean pairs, Start start, boolean ahead) {
    static final int ROWS = 6;
    private static final int WORD = 4;
    private static final int UNROLLED = 2;
    private static final int MOST_VECTORS = 4;
    private static final int LINE = 64;
    /** The third row's address is the first's plus twice the stride; with these the fourth to sixth are the same. */
    private static final Gpr UPPER_ROWS = RDI;
    private static final Gpr LOWER_ROWS = R11;
    private static final Gpr ROW_STRIDE = R10;
    private static final Gpr COLUMN = RSI;
    private static final Gpr STEPS_LEFT = RCX;
    private static final Gpr ROWS_LEFT = RAX;
    private static final Gpr FIRST_ROW = C_OFFSET;
    private static final Gpr READ_ROW = Gpr.RBX;
    private static final Gpr READING = Gpr.R12;
    private static final Gpr READ_APART = Gpr.R13;
    private static final Gpr READ_LAST = Gpr.R14;
    private static final Gpr WRITE_ROW = Gpr.R15;
    private static final Gpr[] SAVED = {READ_ROW, READING, READ_APART, READ_LAST, WRITE_ROW};

    /** The widest vectors that divide the columns. */
    static ProductCode of(CpuLevel level, int columns, boolean pairs, Start start) {
        return new ProductCode(Math.min(level.bits(), 32 * columns), columns, pairs, start, false);
    }

    ProductCode withAhead() {
        return new ProductCode(bits, columns, pairs, start, true);
    }

    /** Whether {@link #withAhead} has code. */
    boolean canLookAhead() {
        return bits == 512 && columns * 32 / bits <= MOST_VECTORS;
    }

    void write(Assembler x) {
        x.add(A, A_OFFSET);
        x.add(B, B_OFFSET);
        x.add(C, C_OFFSET);
        x.mov(ROWS_LEFT, COUNT);
        x.mov(ROW_STRIDE, STRIDE);
        x.mov(FIRST_ROW, A);
        int vectors = columns * 32 / bits;
        int most = bits == 512 ? MOST_VECTORS : 2;
        if (ahead) {
            beginAhead(x);
        }
        Label loop = new Label();
        x.bind(loop);
        for (int first = 0; first < vectors; first += most) {
            block(x, first, Math.min(most, vectors - first));
        }
        if (ahead) {
            x.mov(STEPS_LEFT, argument(MachineFunction.READ_STRIDE));
            x.add(READ_ROW, STEPS_LEFT);
        }
        x.lea(FIRST_ROW, Mem.at(FIRST_ROW, ROW_STRIDE, 2));
        x.lea(FIRST_ROW, Mem.at(FIRST_ROW, ROW_STRIDE, 4));
        x.add(C, ROWS * columns * WORD);
        x.sub(ROWS_LEFT, 1);
        x.jne(loop);
        x.vzeroupper();
        for (int i = SAVED.length - 1; ahead && i >= 0; i--) {
            x.pop(SAVED[i]);
        }
        x.ret();
    }

    private void beginAhead(Assembler x) {
        for (Gpr register : SAVED) {
            x.push(register);
        }
        x.mov(READ_ROW, argument(MachineFunction.READ));
        x.mov(READ_APART, argument(MachineFunction.READ_STRIDE));
        for (int rows = 1; rows < Ahead.READ_PANELS; rows *= 2) {
            x.add(READ_APART, READ_APART);
        }
        x.lea(READ_LAST, Mem.at(READ_APART, READ_APART, 2));
        x.mov(WRITE_ROW, argument(MachineFunction.WRITE));
    }

    /** An argument where registers were saved. */
    private static Mem argument(Mem place) {
        return place.plus(SAVED.length * Long.BYTES);
    }

    /** The lines of a panel's output. */
    private void lookAtOutput(Assembler x) {
        x.mov(STEPS_LEFT, argument(MachineFunction.WRITE_STRIDE));
        for (int r = 0; r < ROWS; r++) {
            for (int line = 0; line < columns * WORD; line += LINE) {
                x.prefetchw(Mem.at(WRITE_ROW, line));
            }
            x.add(WRITE_ROW, STEPS_LEFT);
        }
    }

    /** What each step asks for: the same lines a few times, which costs nothing beside the products. */
    private void lookAtRows(Assembler x) {
        x.prefetcht1(Mem.at(READING));
        x.prefetcht1(Mem.at(READING, READ_APART, 1));
        x.prefetcht1(Mem.at(READING, READ_APART, 2));
        x.prefetcht1(Mem.at(READING, READ_LAST, 1));
        x.add(READING, UNROLLED * WORD);
    }

    private void block(Assembler x, int first, int count) {
        int at = first * bits / 8;
        for (int r = 0; r < ROWS; r++) {
            for (int j = 0; j < count; j++) {
                Vec sum = sum(r, j, count);
                int column = at + j * bits / 8;
                switch (start) {
                    case SUMS -> x.vmovups(sum, Mem.at(C, (r * columns) * WORD + column));
                    case ZERO -> x.vpxord(sum, sum, sum);
                    case ROW_BEFORE -> x.vmovups(sum, Mem.at(B, column - columns * WORD));
                }
            }
        }
        x.mov(UPPER_ROWS, FIRST_ROW);
        x.lea(LOWER_ROWS, Mem.at(UPPER_ROWS, ROW_STRIDE, 2));
        x.add(LOWER_ROWS, ROW_STRIDE);
        x.lea(COLUMN, Mem.at(B, at));
        if (ahead) {
            lookAtOutput(x);
            x.mov(READING, READ_ROW);
        }
        x.mov(STEPS_LEFT, ahead ? argument(N) : N);
        Label loop = new Label();
        x.bind(loop);
        if (ahead) {
            lookAtRows(x);
        }
        for (int step = 0; step < UNROLLED; step++) {
            step(x, step, count);
        }
        x.add(UPPER_ROWS, UNROLLED * WORD);
        x.add(LOWER_ROWS, UNROLLED * WORD);
        x.add(COLUMN, UNROLLED * columns * WORD);
        x.sub(STEPS_LEFT, UNROLLED);
        x.jne(loop);
        for (int r = 0; r < ROWS; r++) {
            for (int j = 0; j < count; j++) {
                x.vmovups(Mem.at(C, (r * columns) * WORD + at + j * bits / 8), sum(r, j, count));
            }
        }
    }

    private void step(Assembler x, int step, int count) {
        for (int j = 0; j < count; j++) {
            x.vmovups(right(j, count), Mem.at(COLUMN, step * columns * WORD + j * bits / 8));
        }
        Vec left = new Vec((ROWS + 1) * count, bits);
        for (int r = 0; r < ROWS; r++) {
            Gpr third = r < 3 ? UPPER_ROWS : LOWER_ROWS;
            Mem row = r % 3 == 0 ? Mem.at(third) : Mem.at(third, ROW_STRIDE, r % 3);
            x.vbroadcastss(left, row.plus(step * WORD));
            for (int j = 0; j < count; j++) {
                if (pairs) {
                    x.vdpbf16ps(sum(r, j, count), left, right(j, count));
                } else {
                    x.vfmadd231ps(sum(r, j, count), left, right(j, count));
                }
            }
        }
    }

    private Vec sum(int row, int j, int count) {
        return new Vec(row * count + j, bits);
    }

    private Vec right(int j, int count) {
        return new Vec(ROWS * count + j, bits);
    }
}
