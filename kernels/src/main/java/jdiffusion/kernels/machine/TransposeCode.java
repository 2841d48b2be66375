package jdiffusion.kernels.machine;

import static jdiffusion.kernels.machine.Gpr.RAX;
import static jdiffusion.kernels.machine.MachineFunction.A;
import static jdiffusion.kernels.machine.MachineFunction.A_OFFSET;
import static jdiffusion.kernels.machine.MachineFunction.C;
import static jdiffusion.kernels.machine.MachineFunction.COUNT;
import static jdiffusion.kernels.machine.MachineFunction.C_OFFSET;
import static jdiffusion.kernels.machine.MachineFunction.N;
import static jdiffusion.kernels.machine.MachineFunction.STRIDE;

/** Words of 32 bits in rows of vectors, transposed, as machine code with AVX-512. */
final class TransposeCode {
    /** Rows, and words of a row, of a square. */
    static final int SIDE = 16;
    private static final Gpr LEFT = RAX;
    private static final Gpr ROW = Gpr.R10;
    private static final Gpr FROM_STRIDE = A_OFFSET;
    private static final Gpr TO_STRIDE = C_OFFSET;

    private TransposeCode() {
    }

    /** 16 rows of 16 N words from A on, STRIDE bytes apart, to 16 N rows of 16 words from C on, COUNT bytes apart. */
    static void write(Assembler x) {
        x.add(A, A_OFFSET);
        x.add(C, C_OFFSET);
        x.mov(FROM_STRIDE, STRIDE);
        x.mov(TO_STRIDE, COUNT);
        x.mov(LEFT, N);
        Label square = new Label();
        x.bind(square);
        x.mov(ROW, A);
        for (int r = 0; r < SIDE; r++) {
            x.vmovups(row(r), Mem.at(ROW));
            x.add(ROW, FROM_STRIDE);
        }
        registers(x);
        for (int r = 0; r < SIDE; r++) {
            x.vmovups(Mem.at(C), row(r));
            x.add(C, TO_STRIDE);
        }
        x.add(A, row(0).bytes());
        x.sub(LEFT, 1);
        x.jne(square);
        x.vzeroupper();
        x.ret();
    }

    /** The registers of a square: one for each row. */
    static Vec row(int i) {
        return Vec.zmm(i);
    }

    /** The other half of the registers, which {@link #registers} overwrites. */
    static Vec other(int i) {
        return Vec.zmm(SIDE + i);
    }

    /** The square in {@link #row} transposed; in pairs of rows, fours of rows, then by parts of four words. */
    static void registers(Assembler x) {
        for (int r = 0; r < SIDE; r += 2) {
            x.vunpcklps(other(r), row(r), row(r + 1));
            x.vunpckhps(other(r + 1), row(r), row(r + 1));
        }
        for (int r = 0; r < SIDE; r += 4) {
            for (int j = 0; j < 2; j++) {
                x.vunpcklpd(row(r + 2 * j), other(r + j), other(r + 2 + j));
                x.vunpckhpd(row(r + 2 * j + 1), other(r + j), other(r + 2 + j));
            }
        }
        // Part p of register 4 g + c is now column 4 p + c of rows 4 g to 4 g + 3.
        int even = 0x88;
        int odd = 0xdd;
        for (int c = 0; c < 4; c++) {
            for (int r = 0; r < SIDE; r += 8) {
                x.vshuff32x4(other(r + c), row(r + c), row(r + 4 + c), even);
                x.vshuff32x4(other(r + 4 + c), row(r + c), row(r + 4 + c), odd);
            }
        }
        for (int c = 0; c < 4; c++) {
            x.vshuff32x4(row(c), other(c), other(8 + c), even);
            x.vshuff32x4(row(8 + c), other(c), other(8 + c), odd);
            x.vshuff32x4(row(4 + c), other(4 + c), other(12 + c), even);
            x.vshuff32x4(row(12 + c), other(4 + c), other(12 + c), odd);
        }
    }
}
