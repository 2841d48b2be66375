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

import jdiffusion.kernels.machine.MachinePairs.HeadNorm;

/**
 * Rows of queries or keys of a head, normed, turned by position, and rounded, as machine code with AVX512_BF16: N rows
 * of COUNT vectors of words become words that follow each other from C on.
 *
 * <p>At A lie 16 words of the order in which neighbours change places, 16 times the factor of the mean, 16 times eps,
 * and STRIDE bytes of weights, 1 for each channel of a LayerNorm and 0 for what fills up a row; behind them the rows.
 * At B lie, for each vector of each row, its cosines, then its sines, those of even channels negative.
 *
 * @param turns whether rows are turned; otherwise B is not read
 */
record HeadCode(HeadNorm norm, boolean turns) {
    /** Vectors before the weights. */
    static final int HEAD = 3;
    private static final Vec LOW = Vec.zmm(0);
    private static final Vec HIGH = Vec.zmm(1);
    private static final Vec SUM = Vec.zmm(2);
    private static final Vec OTHER = Vec.zmm(3);
    private static final Vec ONE = Vec.zmm(4);
    private static final Vec MEAN = Vec.zmm(5);
    private static final Vec ORDER = Vec.zmm(6);
    private static final Vec NEIGHBOURS = Vec.zmm(7);
    private static final Vec SINES = Vec.zmm(8);
    private static final int BYTES = LOW.bytes();
    private static final Gpr ROWS_LEFT = RAX;
    private static final Gpr ROW = A_OFFSET;
    private static final Gpr WEIGHT = B_OFFSET;
    private static final Gpr AT = R10;
    private static final Gpr LEFT = R11;

    /** Lanes of 16 bits of a vector of float32 whose neighbours have changed places. */
    static short[] neighbours() {
        short[] order = new short[2 * AttentionCode.WORDS];
        for (int i = 0; i < order.length; i++) {
            order[i] = (short) (i ^ 2);
        }
        return order;
    }

    void write(Assembler x) {
        x.add(A, A_OFFSET);
        x.add(B, B_OFFSET);
        x.add(C, C_OFFSET);
        x.mov(ROWS_LEFT, N);
        x.mov(ROW, STRIDE);
        x.lea(ROW, Mem.at(A, ROW, 1).plus(HEAD * BYTES));
        x.vmovups(ORDER, Mem.at(A));
        AttentionCode.broadcast(x, ONE, AT, 1);
        Label row = new Label();
        x.bind(row);
        if (norm == HeadNorm.LAYER) {
            mean(x);
        }
        if (norm != HeadNorm.NONE) {
            factor(x);
        }
        store(x);
        x.mov(ROW, AT);
        x.sub(ROWS_LEFT, 1);
        x.jne(row);
        x.vzeroupper();
        x.ret();
    }

    private static void mean(Assembler x) {
        begin(x);
        Label loop = new Label();
        x.bind(loop);
        x.vaddps(SUM, SUM, Mem.at(AT));
        x.vaddps(OTHER, OTHER, Mem.at(AT, BYTES));
        next(x);
        x.jne(loop);
        x.vaddps(SUM, SUM, OTHER);
        AttentionCode.inEveryLane(x, SUM, LOW, HIGH);
        x.vmulps(MEAN, SUM, Mem.at(A, BYTES));
    }

    /** SUM = 1 / sqrt(mean of squares + eps). */
    private void factor(Assembler x) {
        begin(x);
        Label loop = new Label();
        x.bind(loop);
        load(x);
        x.vfmadd231ps(SUM, LOW, LOW);
        x.vfmadd231ps(OTHER, HIGH, HIGH);
        next(x);
        x.jne(loop);
        x.vaddps(SUM, SUM, OTHER);
        AttentionCode.inEveryLane(x, SUM, LOW, HIGH);
        x.vmulps(SUM, SUM, Mem.at(A, BYTES));
        x.vaddps(SUM, SUM, Mem.at(A, 2 * BYTES));
        x.vsqrtps(SUM, SUM);
        x.vdivps(SUM, ONE, SUM);
    }

    private void store(Assembler x) {
        x.mov(AT, ROW);
        x.lea(WEIGHT, Mem.at(A, HEAD * BYTES));
        x.mov(LEFT, COUNT);
        Label loop = new Label();
        x.bind(loop);
        load(x);
        finish(x, LOW, 0);
        finish(x, HIGH, 1);
        x.vcvtne2ps2bf16(LOW, HIGH, LOW);
        x.vmovups(Mem.at(C), LOW);
        x.add(C, BYTES);
        if (turns) {
            x.add(B, 4 * BYTES);
        }
        next(x);
        x.jne(loop);
    }

    private void finish(Assembler x, Vec value, int index) {
        if (norm != HeadNorm.NONE) {
            x.vmulps(value, value, SUM);
        }
        if (norm == HeadNorm.RMS) {
            x.vmulps(value, value, Mem.at(WEIGHT, index * BYTES));
        }
        if (turns) {
            x.vpermw(NEIGHBOURS, ORDER, value);
            x.vmulps(value, value, Mem.at(B, 2 * index * BYTES));
            x.vmovups(SINES, Mem.at(B, (2 * index + 1) * BYTES));
            x.vfmadd231ps(value, NEIGHBOURS, SINES);
        }
    }

    /** Two vectors of a row; of a LayerNorm less their mean, and still zero where the row is filled up. */
    private void load(Assembler x) {
        x.vmovups(LOW, Mem.at(AT));
        x.vmovups(HIGH, Mem.at(AT, BYTES));
        if (norm == HeadNorm.LAYER) {
            x.vsubps(LOW, LOW, MEAN);
            x.vsubps(HIGH, HIGH, MEAN);
            x.vmulps(LOW, LOW, Mem.at(WEIGHT));
            x.vmulps(HIGH, HIGH, Mem.at(WEIGHT, BYTES));
        }
    }

    /** The beginning of a row, and sums of nothing. */
    private static void begin(Assembler x) {
        x.mov(AT, ROW);
        x.lea(WEIGHT, Mem.at(A, HEAD * BYTES));
        x.mov(LEFT, COUNT);
        x.vsubps(SUM, ONE, ONE);
        x.vsubps(OTHER, ONE, ONE);
    }

    private static void next(Assembler x) {
        x.add(AT, 2 * BYTES);
        x.add(WEIGHT, 2 * BYTES);
        x.sub(LEFT, 1);
    }
}
