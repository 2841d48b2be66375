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

/**
 * The way of finished sums, as {@link AmxBlock} leaves them, into rows of the output, with AVX512_BF16: COUNT rows of N
 * blocks, the first row's sums from A on, go to rows from C on, STRIDE bytes apart. B is what is added to each row,
 * before its activation; READ bytes behind it lies what rows are multiplied by with {@link Into#GATED_ADD}.
 */
record AmxFinishCode(Into into, ActivationCode activation) {
    private static final Vec LEFT = Vec.zmm(0);
    private static final Vec RIGHT = Vec.zmm(1);
    private static final Vec GATE = Vec.zmm(2);
    private static final Gpr ROWS_LEFT = RAX;
    private static final Gpr BLOCKS_LEFT = A_OFFSET;
    private static final Gpr SUMS = R10;
    private static final Gpr VECTORS = R11;
    private static final Gpr TO = C_OFFSET;
    private static final Gpr GATES = B_OFFSET;

    void write(Assembler x) {
        x.add(A, A_OFFSET);
        x.add(B, B_OFFSET);
        x.add(C, C_OFFSET);
        x.mov(ROWS_LEFT, COUNT);
        x.mov(GATES, READ);
        activation.constants(x, SUMS);
        Label row = new Label();
        x.bind(row);
        x.mov(SUMS, A);
        x.mov(VECTORS, B);
        x.mov(TO, C);
        x.mov(BLOCKS_LEFT, N);
        Label block = new Label();
        x.bind(block);
        sums(x, LEFT, Mem.at(SUMS), Mem.at(VECTORS));
        sums(x, RIGHT, Mem.at(SUMS, AmxBlock.HALF_BYTES), Mem.at(VECTORS, ROW_BYTES));
        if (into == Into.ROUND) {
            x.vcvtne2ps2bf16(LEFT, RIGHT, LEFT);
            x.vmovups(Mem.at(TO), LEFT);
            x.add(TO, ROW_BYTES);
        } else {
            finish(x, LEFT, 0);
            finish(x, RIGHT, ROW_BYTES);
            x.add(TO, 2 * ROW_BYTES);
        }
        x.add(SUMS, AmxBlock.BYTES);
        x.add(VECTORS, 2 * ROW_BYTES);
        x.sub(BLOCKS_LEFT, 1);
        x.jne(block);
        x.add(A, ROW_BYTES);
        x.mov(TO, STRIDE);
        x.add(C, TO);
        x.sub(ROWS_LEFT, 1);
        x.jne(row);
        x.vzeroupper();
        x.ret();
    }

    private void sums(Assembler x, Vec to, Mem from, Mem bias) {
        x.vmovups(to, from);
        x.vaddps(to, to, bias);
        activation.apply(x, to);
    }

    private void finish(Assembler x, Vec value, int at) {
        if (into == Into.GATED_ADD) {
            x.vmovups(GATE, Mem.at(VECTORS, GATES, 1).plus(at));
        }
        StoreCode.finish(x, into, value, GATE, Mem.at(TO, at));
    }
}
