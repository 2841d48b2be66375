package jdiffusion.kernels.machine;

import static jdiffusion.kernels.machine.AmxCode.ROW_BYTES;
import static jdiffusion.kernels.machine.AmxCode.TILE;
import static jdiffusion.kernels.machine.AmxCode.TILE_BYTES;
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
import static jdiffusion.kernels.machine.MachineFunction.STRIDE;

/** What brings activations into the layout that {@link AmxCode} multiplies, and its sums back into rows. */
final class AmxLayoutCode {
    private static final Vec BIAS = Vec.zmm(16);
    private static final Vec GATE = Vec.zmm(17);
    private static final Gpr LEFT = RAX;
    private static final Gpr ROW = R10;
    private static final Gpr ROW_STRIDE = A_OFFSET;
    private static final Gpr HALVES = R11;

    private AmxLayoutCode() {
    }

    /**
     * 16 rows of float32 from A on, STRIDE bytes apart, to N tiles [16 words][16 rows] from C on, each two tiles after
     * the one before. A word is two consecutive numbers of a row, rounded to bfloat16; a tile takes 32 of each row.
     */
    static void pack(Assembler x) {
        x.add(A, A_OFFSET);
        x.add(C, C_OFFSET);
        x.mov(ROW_STRIDE, STRIDE);
        x.mov(LEFT, N);
        Label tile = new Label();
        x.bind(tile);
        x.mov(ROW, A);
        for (int r = 0; r < TILE; r++) {
            x.vmovups(other(r), Mem.at(ROW, ROW_BYTES));
            x.vcvtne2ps2bf16(row(r), other(r), Mem.at(ROW));
            x.add(ROW, ROW_STRIDE);
        }
        transpose(x);
        for (int r = 0; r < TILE; r++) {
            x.vmovups(Mem.at(C, r * ROW_BYTES), row(r));
        }
        x.add(A, 2 * ROW_BYTES);
        x.add(C, 2 * TILE_BYTES);
        x.sub(LEFT, 1);
        x.jne(tile);
        x.vzeroupper();
        x.ret();
    }

    /**
     * COUNT blocks of 32 by 32 sums from A on, as {@link AmxCode} leaves them, become 32 COUNT rows of 32 numbers from
     * C on, STRIDE bytes apart; B is 32 numbers that are added to each row, then 32 that each is multiplied with before
     * it is added to what C holds.
     */
    static void unpack(Assembler x, AmxProducts.Into into) {
        x.add(A, A_OFFSET);
        x.add(B, B_OFFSET);
        x.add(C, C_OFFSET);
        x.mov(ROW_STRIDE, STRIDE);
        x.mov(HALVES, COUNT);
        x.add(HALVES, HALVES);
        Label half = new Label();
        x.bind(half);
        for (int i = 0; i < 2; i++) {
            for (int r = 0; r < TILE; r++) {
                x.vmovups(row(r), Mem.at(A, i * TILE_BYTES + r * ROW_BYTES));
            }
            transpose(x);
            x.vmovups(BIAS, Mem.at(B, i * ROW_BYTES));
            if (into == AmxProducts.Into.GATED_ADD) {
                x.vmovups(GATE, Mem.at(B, (2 + i) * ROW_BYTES));
            }
            x.mov(ROW, C);
            for (int r = 0; r < TILE; r++) {
                store(x, into, row(r), Mem.at(ROW, i * ROW_BYTES));
                x.add(ROW, ROW_STRIDE);
            }
        }
        x.mov(C, ROW);
        x.add(A, 2 * TILE_BYTES);
        x.sub(HALVES, 1);
        x.jne(half);
        x.vzeroupper();
        x.ret();
    }

    private static void store(Assembler x, AmxProducts.Into into, Vec value, Mem to) {
        x.vaddps(value, value, BIAS);
        switch (into) {
            case STORE -> { }
            case ADD -> x.vaddps(value, value, to);
            case GATED_ADD -> {
                x.vmulps(value, value, GATE);
                x.vaddps(value, value, to);
            }
            case MULTIPLY -> x.vmulps(value, value, to);
        }
        x.vmovups(to, value);
    }

    private static Vec row(int i) {
        return Vec.zmm(i);
    }

    private static Vec other(int i) {
        return Vec.zmm(TILE + i);
    }

    /** Words [16][16] in registers 0 to 15; in pairs of rows, fours of rows, then by parts of four words. */
    private static void transpose(Assembler x) {
        for (int r = 0; r < TILE; r += 2) {
            x.vunpcklps(other(r), row(r), row(r + 1));
            x.vunpckhps(other(r + 1), row(r), row(r + 1));
        }
        for (int r = 0; r < TILE; r += 4) {
            for (int j = 0; j < 2; j++) {
                x.vunpcklpd(row(r + 2 * j), other(r + j), other(r + 2 + j));
                x.vunpckhpd(row(r + 2 * j + 1), other(r + j), other(r + 2 + j));
            }
        }
        // Part p of register 4 g + c is now column 4 p + c of rows 4 g to 4 g + 3.
        int even = 0x88;
        int odd = 0xdd;
        for (int c = 0; c < 4; c++) {
            for (int r = 0; r < TILE; r += 8) {
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
