package jdiffusion.kernels.machine;

import static jdiffusion.kernels.machine.AmxTiles.ROW_BYTES;
import static jdiffusion.kernels.machine.AmxTiles.TILE;
import static jdiffusion.kernels.machine.AmxTiles.TILE_BYTES;
import static jdiffusion.kernels.machine.Tmm.TMM4;
import static jdiffusion.kernels.machine.Tmm.TMM5;
import static jdiffusion.kernels.machine.Tmm.TMM6;
import static jdiffusion.kernels.machine.Tmm.TMM7;

/**
 * The innermost loop of all products on AMX's tiles: a block of 32 by 32 sums in four tiles takes 32 more of k with
 * each step. A is 32 rows of bfloat16; B two tiles a step, [16 pairs of k][16 columns] each; of numbers in {@link
 * Parts} a step of both has one part after the other. A block of sums is [left, right][32 rows][16 columns] of float32,
 * so that both halves of a row lie 64 bytes by its number from where they begin. Four sums do not wait for each other;
 * A's rows stay in the first-level cache, B passes by once.
 *
 * @param upper      A's rows 0 to 15, goes forward a step at a time
 * @param lower      A's rows 16 to 31
 * @param rowStride  distance of A's rows in bytes
 * @param b          goes forward to behind the last step
 * @param sums       where the block of sums lies
 * @param tileStride holds {@link AmxTiles#ROW_BYTES}
 * @param stepsLeft  is overwritten
 */
record AmxBlock(Gpr upper, Gpr lower, Gpr rowStride, Gpr b, Gpr sums, Gpr tileStride, Gpr stepsLeft) {
    /** Rows and columns. */
    static final int SIDE = 2 * TILE;
    /** Bytes of B in a step. */
    static final int STEP_BYTES = 2 * TILE_BYTES;
    /** Bytes of sums, and of each half of them. */
    static final int BYTES = 4 * TILE_BYTES;
    static final int HALF_BYTES = BYTES / 2;

    /** Where A's lower rows are, once the upper ones are known; sums from 0 on, or from what is there. */
    void begin(Assembler x, boolean fresh) {
        x.lea(lower, Mem.at(upper, rowStride, 8));
        x.lea(lower, Mem.at(lower, rowStride, 8));
        for (int i = 0; i < 4; i++) {
            if (fresh) {
                x.tilezero(sum(i));
            } else {
                x.tileloadd(sum(i), place(i));
            }
        }
    }

    /** All steps, of which there is one at least; {@code beside} writes what else each does. */
    void steps(Assembler x, Parts parts, Mem count, Runnable beside) {
        x.mov(stepsLeft, count);
        Label step = new Label();
        x.bind(step);
        Parts.Term before = null;
        for (Parts.Term term : parts.terms()) {
            product(x, term, before == null || before.left() != term.left(),
                    before == null || before.right() != term.right());
            before = term;
        }
        beside.run();
        x.add(upper, parts.rowStepBytes());
        x.add(lower, parts.rowStepBytes());
        x.add(b, parts.stepBytes());
        x.sub(stepsLeft, 1);
        x.jne(step);
    }

    /** Of a part of A's rows and a part of B, which are loaded unless they are there. */
    private void product(Assembler x, Parts.Term term, boolean newRows, boolean newB) {
        int row = term.left() * ROW_BYTES;
        int tile = term.right() * STEP_BYTES;
        if (newRows) {
            x.tileloadd(TMM4, Mem.at(upper, rowStride, 1).plus(row));
        }
        if (newB) {
            x.tileloaddt1(TMM6, Mem.at(b, tileStride, 1).plus(tile));
        }
        x.tdpbf16ps(sum(0), TMM4, TMM6);
        if (newRows) {
            x.tileloadd(TMM5, Mem.at(lower, rowStride, 1).plus(row));
        }
        x.tdpbf16ps(sum(1), TMM5, TMM6);
        if (newB) {
            x.tileloaddt1(TMM7, Mem.at(b, tileStride, 1).plus(tile + TILE_BYTES));
        }
        x.tdpbf16ps(sum(2), TMM4, TMM7);
        x.tdpbf16ps(sum(3), TMM5, TMM7);
    }

    void end(Assembler x) {
        for (int i = 0; i < 4; i++) {
            x.tilestored(place(i), sum(i));
        }
    }

    /** Upper and lower rows of the left columns, then of the right ones. */
    private Mem place(int i) {
        return Mem.at(sums, tileStride, 1).plus(i * TILE_BYTES);
    }

    private static Tmm sum(int i) {
        return Tmm.values()[i];
    }
}
