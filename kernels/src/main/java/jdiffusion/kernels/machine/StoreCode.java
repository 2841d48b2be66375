package jdiffusion.kernels.machine;

import static jdiffusion.kernels.machine.Gpr.R10;
import static jdiffusion.kernels.machine.Gpr.RAX;
import static jdiffusion.kernels.machine.MachineFunction.A;
import static jdiffusion.kernels.machine.MachineFunction.A_OFFSET;
import static jdiffusion.kernels.machine.MachineFunction.B;
import static jdiffusion.kernels.machine.MachineFunction.B_OFFSET;
import static jdiffusion.kernels.machine.MachineFunction.C;
import static jdiffusion.kernels.machine.MachineFunction.COUNT;
import static jdiffusion.kernels.machine.MachineFunction.C_OFFSET;
import static jdiffusion.kernels.machine.MachineFunction.STRIDE;

/**
 * The way of COUNT rows of finished sums, one after the other from A on, into rows of the output from C on, STRIDE
 * bytes apart, as machine code with AVX-512; {@link Into#ROUND} with AVX512_BF16. B is what each row is multiplied by
 * with {@link Into#GATED_ADD}.
 *
 * @param columns of a row, a multiple of 16, of 32 with ROUND; at most {@link #MOST_COLUMNS}
 */
record StoreCode(int columns, Into into, ActivationCode activation) {
    static final int LANES = 16;
    /** Values and gates take the registers that an activation leaves. */
    static final int MOST_COLUMNS = 8 * LANES;
    private static final Gpr ROW_STRIDE = R10;
    private static final Gpr LEFT = RAX;
    /** Free once it is added. */
    private static final Gpr SCRATCH = B_OFFSET;

    void write(Assembler x) {
        x.add(A, A_OFFSET);
        x.add(B, B_OFFSET);
        x.add(C, C_OFFSET);
        x.mov(ROW_STRIDE, STRIDE);
        x.mov(LEFT, COUNT);
        activation.constants(x, SCRATCH);
        int vectors = columns / LANES;
        for (int i = 0; i < vectors && into == Into.GATED_ADD; i++) {
            x.vmovups(gate(i), Mem.at(B, i * gate(i).bytes()));
        }
        Label row = new Label();
        x.bind(row);
        for (int i = 0; i < vectors; i++) {
            Vec value = Vec.zmm(i);
            x.vmovups(value, Mem.at(A, i * value.bytes()));
            activation.apply(x, value);
            if (into != Into.ROUND) {
                finish(x, into, value, gate(i), Mem.at(C, i * value.bytes()));
            } else if (i % 2 == 1) {
                x.vcvtne2ps2bf16(value, value, Vec.zmm(i - 1));
                x.vmovups(Mem.at(C, i / 2 * value.bytes()), value);
            }
        }
        x.add(A, columns * Float.BYTES);
        x.add(C, ROW_STRIDE);
        x.sub(LEFT, 1);
        x.jne(row);
        x.vzeroupper();
        x.ret();
    }

    private static Vec gate(int i) {
        return Vec.zmm(MOST_COLUMNS / LANES + i);
    }

    /** A vector of an output in float32. */
    static void finish(Assembler x, Into into, Vec value, Vec gate, Mem to) {
        switch (into) {
            case STORE -> { }
            case ROUND -> throw new IllegalArgumentException("a vector alone is no vector of bfloat16");
            case ADD -> x.vaddps(value, value, to);
            case GATED_ADD -> {
                x.vmulps(value, value, gate);
                x.vaddps(value, value, to);
            }
            case MULTIPLY -> x.vmulps(value, value, to);
        }
        x.vmovups(to, value);
    }
}
