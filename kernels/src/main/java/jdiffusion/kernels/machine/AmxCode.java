package jdiffusion.kernels.machine;

import static jdiffusion.kernels.machine.Gpr.R10;
import static jdiffusion.kernels.machine.Gpr.R11;
import static jdiffusion.kernels.machine.Gpr.RAX;
import static jdiffusion.kernels.machine.Gpr.RCX;
import static jdiffusion.kernels.machine.Gpr.RSP;
import static jdiffusion.kernels.machine.MachineFunction.A;
import static jdiffusion.kernels.machine.MachineFunction.A_OFFSET;
import static jdiffusion.kernels.machine.MachineFunction.B;
import static jdiffusion.kernels.machine.MachineFunction.B_OFFSET;
import static jdiffusion.kernels.machine.MachineFunction.C;
import static jdiffusion.kernels.machine.MachineFunction.COUNT;
import static jdiffusion.kernels.machine.MachineFunction.C_OFFSET;
import static jdiffusion.kernels.machine.MachineFunction.N;
import static jdiffusion.kernels.machine.MachineFunction.STRIDE;
import static jdiffusion.kernels.machine.Tmm.TMM4;
import static jdiffusion.kernels.machine.Tmm.TMM5;
import static jdiffusion.kernels.machine.Tmm.TMM6;
import static jdiffusion.kernels.machine.Tmm.TMM7;

/**
 * The inner loop of matrix products on AMX's tiles: C [COUNT] = or += A B, COUNT blocks of 32 by 32 sums.
 *
 * <p>A is 32 rows of bfloat16, STRIDE bytes apart: weights as they lie in a file. B is, for each block and each of N
 * steps along k, two tiles side by side, [16 words][16 columns] each, a word two numbers of consecutive k. A step is 32
 * numbers along k; neither N nor COUNT is 0. A block of C is four tiles [16 rows][16 columns] of float32: rows 0 to 15
 * of columns 0 to 15, the rows below, then both of columns 16 to 31. All tiles are whole, so their shapes never
 * change. A's rows are read once for each block and should stay in the first-level cache; B passes by once.
 */
final class AmxCode {
    /** Rows of a tile, and floats of its rows. */
    static final int TILE = 16;
    /** Bytes of a row, and of a tile. */
    static final int ROW_BYTES = 64;
    static final int TILE_BYTES = TILE * ROW_BYTES;
    private static final int CONFIG_BYTES = 64;
    private static final int PALETTE = 1;
    private static final Gpr ROW_STRIDE = A_OFFSET;
    private static final Gpr UPPER = R11;
    private static final Gpr LOWER = R10;
    private static final Gpr STEPS_LEFT = RCX;
    private static final Gpr BLOCKS_LEFT = RAX;
    private static final Gpr TILE_STRIDE = C_OFFSET;

    private AmxCode() {
    }

    /** Sums that begin at 0. */
    static void first(Assembler x) {
        write(x, true);
    }

    /** Sums that go on from what C holds. */
    static void next(Assembler x) {
        write(x, false);
    }

    private static void write(Assembler x, boolean fromZero) {
        x.add(A, A_OFFSET);
        x.add(B, B_OFFSET);
        x.add(C, C_OFFSET);
        x.mov(ROW_STRIDE, STRIDE);
        x.mov(BLOCKS_LEFT, COUNT);
        configure(x, R10);
        x.mov(TILE_STRIDE, ROW_BYTES);
        Label block = new Label();
        Label step = new Label();
        x.bind(block);
        for (int i = 0; i < 4; i++) {
            if (fromZero) {
                x.tilezero(sum(i));
            } else {
                x.tileloadd(sum(i), Mem.at(C, TILE_STRIDE, 1).plus(i * TILE_BYTES));
            }
        }
        x.mov(STEPS_LEFT, N);
        x.mov(UPPER, A);
        x.lea(LOWER, Mem.at(UPPER, ROW_STRIDE, 8));
        x.lea(LOWER, Mem.at(LOWER, ROW_STRIDE, 8));
        x.bind(step);
        x.tileloadd(TMM4, Mem.at(UPPER, ROW_STRIDE, 1));
        x.tileloaddt1(TMM6, Mem.at(B, TILE_STRIDE, 1));
        x.tdpbf16ps(sum(0), TMM4, TMM6);
        x.tileloadd(TMM5, Mem.at(LOWER, ROW_STRIDE, 1));
        x.tdpbf16ps(sum(1), TMM5, TMM6);
        x.tileloaddt1(TMM7, Mem.at(B, TILE_STRIDE, 1).plus(TILE_BYTES));
        x.tdpbf16ps(sum(2), TMM4, TMM7);
        x.tdpbf16ps(sum(3), TMM5, TMM7);
        x.add(UPPER, ROW_BYTES);
        x.add(LOWER, ROW_BYTES);
        x.add(B, 2 * TILE_BYTES);
        x.sub(STEPS_LEFT, 1);
        x.jne(step);
        for (int i = 0; i < 4; i++) {
            x.tilestored(Mem.at(C, TILE_STRIDE, 1).plus(i * TILE_BYTES), sum(i));
        }
        x.add(C, 4 * TILE_BYTES);
        x.sub(BLOCKS_LEFT, 1);
        x.jne(block);
        x.tilerelease();
        x.ret();
    }

    private static Tmm sum(int i) {
        return Tmm.values()[i];
    }

    /**
     * Makes all tiles whole. The 64 bytes that say so are: the palette; from byte 16 on the bytes of a row of each tile
     * in two; from byte 48 on the rows of each in one.
     */
    static void configure(Assembler x, Gpr scratch) {
        x.sub(RSP, CONFIG_BYTES);
        for (int at = 0; at < CONFIG_BYTES; at += 4) {
            int word = 0;
            if (at == 0) {
                word = PALETTE;
            } else if (at >= 16 && at < 32) {
                word = ROW_BYTES | ROW_BYTES << 16;
            } else if (at >= 48 && at < 56) {
                word = TILE | TILE << 8 | TILE << 16 | TILE << 24;
            }
            x.mov(scratch, word);
            x.movd(Mem.at(RSP, at), scratch);
        }
        x.ldtilecfg(Mem.at(RSP));
        x.add(RSP, CONFIG_BYTES);
    }
}
