package jdiffusion.kernels.machine;

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

/** {@link AttentionCode#rows} and {@link AttentionCode#pairs} of rows that are stored in bfloat16, words already. */
final class WordCode {
    private static final int WORDS = 16;
    private static final int BYTES = 4 * WORDS;
    private static final int HALF = 16;
    private static final int UPPER_HALF = 0xffff0000;
    private static final Gpr ROWS = RAX;
    private static final Gpr ROW_STRIDE = A_OFFSET;
    private static final Gpr AT = R10;
    private static final Gpr LEFT = R11;
    private static final Gpr WEIGHT = B_OFFSET;
    private static final Vec EVEN = Vec.zmm(0);
    private static final Vec ODD = Vec.zmm(1);
    private static final Vec SQUARES = Vec.zmm(2);
    private static final Vec SQUARES_OF_ODD = Vec.zmm(3);
    private static final Vec ONE = Vec.zmm(4);
    private static final Vec MASK = Vec.zmm(5);
    private static final Vec ORDER = Vec.zmm(6);
    private static final Vec LATER = Vec.zmm(7);

    private WordCode() {
    }

    /** Lanes of 16 bits of two vectors by turns, as {@link #pairs} takes them: the first of each, then the others. */
    static short[] join() {
        short[] order = new short[4 * WORDS];
        for (int i = 0; i < 2 * WORDS; i++) {
            order[2 * i] = (short) i;
            order[2 * i + 1] = (short) (2 * WORDS + i);
        }
        return order;
    }

    /**
     * N rows of words from A on, STRIDE bytes apart, COUNT vectors long, to words that follow each other from C on: the
     * numbers multiplied by 1 / sqrt(mean(row^2) + eps) and by a weight, rounded. B holds 16 times the factor of the
     * mean, 16 times eps, {@link RoundCode#interleave}, and for each vector the weights of its lower, then those of its
     * upper halves.
     */
    static void normed(Assembler x) {
        start(x);
        AttentionCode.broadcast(x, ONE, AT, 1);
        x.mov(AT, UPPER_HALF);
        x.vpbroadcastd(MASK, AT);
        x.vmovups(ORDER, Mem.at(B, 2 * BYTES));
        Label row = new Label();
        Label sum = new Label();
        Label round = new Label();
        x.bind(row);
        x.mov(AT, A);
        x.mov(LEFT, COUNT);
        x.vsubps(SQUARES, ONE, ONE);
        x.vsubps(SQUARES_OF_ODD, ONE, ONE);
        x.bind(sum);
        widen(x);
        x.vfmadd231ps(SQUARES, EVEN, EVEN);
        x.vfmadd231ps(SQUARES_OF_ODD, ODD, ODD);
        x.add(AT, BYTES);
        x.sub(LEFT, 1);
        x.jne(sum);
        x.vaddps(SQUARES, SQUARES, SQUARES_OF_ODD);
        AttentionCode.inEveryLane(x, SQUARES, EVEN, ODD);
        x.vmulps(SQUARES, SQUARES, Mem.at(B));
        x.vaddps(SQUARES, SQUARES, Mem.at(B, BYTES));
        x.vsqrtps(SQUARES, SQUARES);
        x.vdivps(SQUARES, ONE, SQUARES);
        x.mov(AT, A);
        x.lea(WEIGHT, Mem.at(B, 3 * BYTES));
        x.mov(LEFT, COUNT);
        x.bind(round);
        widen(x);
        x.vmulps(EVEN, EVEN, SQUARES);
        x.vmulps(ODD, ODD, SQUARES);
        x.vmulps(EVEN, EVEN, Mem.at(WEIGHT));
        x.vmulps(ODD, ODD, Mem.at(WEIGHT, BYTES));
        x.vcvtne2ps2bf16(EVEN, ODD, EVEN);
        x.vpermw(EVEN, ORDER, EVEN);
        x.vmovups(Mem.at(C), EVEN);
        x.add(AT, BYTES);
        x.add(WEIGHT, 2 * BYTES);
        x.add(C, BYTES);
        x.sub(LEFT, 1);
        x.jne(round);
        x.add(A, ROW_STRIDE);
        x.sub(ROWS, 1);
        x.jne(row);
        x.vzeroupper();
        x.ret();
    }

    /** The lower and the upper halves of a vector of words as float32. */
    private static void widen(Assembler x) {
        x.vpslld(EVEN, Mem.at(AT), HALF);
        x.vpandd(ODD, MASK, Mem.at(AT));
    }

    /**
     * 2 N rows of words from A on, STRIDE bytes apart, COUNT vectors long, become N rows twice as long that follow each
     * other from C on: each word two numbers one below the other. B holds {@link #join}.
     */
    static void pairs(Assembler x) {
        start(x);
        x.vmovups(ORDER, Mem.at(B));
        x.vmovups(LATER, Mem.at(B, BYTES));
        Label row = new Label();
        Label vector = new Label();
        x.bind(row);
        x.mov(AT, A);
        x.mov(LEFT, COUNT);
        x.bind(vector);
        x.vmovups(EVEN, Mem.at(AT));
        x.vmovaps(ODD, EVEN);
        x.vpermt2w(EVEN, ORDER, Mem.at(AT, ROW_STRIDE, 1));
        x.vpermt2w(ODD, LATER, Mem.at(AT, ROW_STRIDE, 1));
        x.vmovups(Mem.at(C), EVEN);
        x.vmovups(Mem.at(C, BYTES), ODD);
        x.add(AT, BYTES);
        x.add(C, 2 * BYTES);
        x.sub(LEFT, 1);
        x.jne(vector);
        x.lea(A, Mem.at(A, ROW_STRIDE, 2));
        x.sub(ROWS, 1);
        x.jne(row);
        x.vzeroupper();
        x.ret();
    }

    private static void start(Assembler x) {
        x.add(A, A_OFFSET);
        x.add(B, B_OFFSET);
        x.add(C, C_OFFSET);
        x.mov(ROWS, N);
        x.mov(ROW_STRIDE, STRIDE);
    }
}
