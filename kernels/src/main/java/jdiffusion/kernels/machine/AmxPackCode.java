package jdiffusion.kernels.machine;

import static jdiffusion.kernels.machine.AmxTiles.ROW_BYTES;
import static jdiffusion.kernels.machine.AmxTiles.TILE;
import static jdiffusion.kernels.machine.AmxTiles.TILE_BYTES;
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

/** Rows of bfloat16 into the tiles that {@link AmxBlock} takes as B, with AVX-512; rows may lie at any address. */
final class AmxPackCode {
    /** How far ahead of what is read the rest of a row is asked for. */
    private static final int AHEAD = 512;
    private static final Gpr LEFT = RAX;
    private static final Gpr ROW = R10;
    private static final Gpr ROW_STRIDE = A_OFFSET;

    private AmxPackCode() {
    }

    /**
     * Rows that are B's columns: 16 of 32 N numbers from A on, STRIDE bytes apart, to N tiles from C on, each two tiles
     * behind the one before.
     */
    static void columns(Assembler x) {
        x.add(A, A_OFFSET);
        x.add(C, C_OFFSET);
        x.mov(ROW_STRIDE, STRIDE);
        x.mov(LEFT, N);
        Label tile = new Label();
        x.bind(tile);
        x.mov(ROW, A);
        for (int r = 0; r < TILE; r++) {
            x.vmovups(TransposeCode.row(r), Mem.at(ROW));
            x.prefetcht0(Mem.at(ROW, AHEAD));
            x.add(ROW, ROW_STRIDE);
        }
        TransposeCode.registers(x);
        for (int r = 0; r < TILE; r++) {
            x.vmovups(Mem.at(C, r * ROW_BYTES), TransposeCode.row(r));
        }
        x.add(A, ROW_BYTES);
        x.add(C, AmxBlock.STEP_BYTES);
        x.sub(LEFT, 1);
        x.jne(tile);
        x.vzeroupper();
        x.ret();
    }

    /**
     * Rows that are B's rows, for one step: 32 of 32 N numbers from A on, STRIDE bytes apart, to N times two tiles from
     * C on, COUNT bytes from one to the next; each word of theirs is two numbers one below the other. B holds {@link
     * WordCode#join}.
     */
    static void rows(Assembler x) {
        Vec left = Vec.zmm(0);
        Vec right = Vec.zmm(1);
        Vec first = Vec.zmm(2);
        Vec others = Vec.zmm(3);
        x.add(A, A_OFFSET);
        x.add(B, B_OFFSET);
        x.add(C, C_OFFSET);
        x.mov(ROW_STRIDE, STRIDE);
        x.mov(R11, COUNT);
        x.mov(LEFT, N);
        x.vmovups(first, Mem.at(B));
        x.vmovups(others, Mem.at(B, ROW_BYTES));
        Label block = new Label();
        x.bind(block);
        x.mov(ROW, A);
        for (int pair = 0; pair < TILE; pair++) {
            x.vmovups(left, Mem.at(ROW));
            x.vmovaps(right, left);
            x.vpermt2w(left, first, Mem.at(ROW, ROW_STRIDE, 1));
            x.vpermt2w(right, others, Mem.at(ROW, ROW_STRIDE, 1));
            x.vmovups(Mem.at(C, pair * ROW_BYTES), left);
            x.vmovups(Mem.at(C, TILE_BYTES + pair * ROW_BYTES), right);
            x.lea(ROW, Mem.at(ROW, ROW_STRIDE, 2));
        }
        x.add(A, ROW_BYTES);
        x.add(C, R11);
        x.sub(LEFT, 1);
        x.jne(block);
        x.vzeroupper();
        x.ret();
    }
}
