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
import static jdiffusion.kernels.machine.TransposeCode.other;
import static jdiffusion.kernels.machine.TransposeCode.row;

/** What brings activations into the layout that {@link AmxCode} multiplies, and its sums back into rows. */
final class AmxLayoutCode {
    private static final Vec BIAS = Vec.zmm(30);
    private static final Vec GATE = Vec.zmm(31);
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
        TransposeCode.registers(x);
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
     * C on, STRIDE bytes apart; B is 32 numbers that are added to each row, before its activation, then 32 that each is
     * multiplied with before it is added to what C holds.
     */
    static void unpack(Assembler x, Into into, ActivationCode activation) {
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
            TransposeCode.registers(x);
            activation.constants(x, ROW);
            x.vmovups(BIAS, Mem.at(B, i * ROW_BYTES));
            if (into == Into.GATED_ADD) {
                x.vmovups(GATE, Mem.at(B, (2 + i) * ROW_BYTES));
            }
            x.mov(ROW, C);
            for (int r = 0; r < TILE; r++) {
                x.vaddps(row(r), row(r), BIAS);
                activation.apply(x, row(r));
                StoreCode.finish(x, into, row(r), GATE, Mem.at(ROW, i * ROW_BYTES));
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
}
