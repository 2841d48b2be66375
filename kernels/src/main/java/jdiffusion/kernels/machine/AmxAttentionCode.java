package jdiffusion.kernels.machine;

import static jdiffusion.kernels.machine.AmxTiles.ROW_BYTES;
import static jdiffusion.kernels.machine.Gpr.R10;
import static jdiffusion.kernels.machine.Gpr.R11;
import static jdiffusion.kernels.machine.Gpr.R12;
import static jdiffusion.kernels.machine.Gpr.R13;
import static jdiffusion.kernels.machine.Gpr.R14;
import static jdiffusion.kernels.machine.Gpr.R15;
import static jdiffusion.kernels.machine.Gpr.R9;
import static jdiffusion.kernels.machine.Gpr.RAX;
import static jdiffusion.kernels.machine.Gpr.RBP;
import static jdiffusion.kernels.machine.Gpr.RBX;
import static jdiffusion.kernels.machine.Gpr.RCX;
import static jdiffusion.kernels.machine.Gpr.RSI;
import static jdiffusion.kernels.machine.MachineFunction.A;
import static jdiffusion.kernels.machine.MachineFunction.A_OFFSET;
import static jdiffusion.kernels.machine.MachineFunction.B;
import static jdiffusion.kernels.machine.MachineFunction.B_OFFSET;
import static jdiffusion.kernels.machine.MachineFunction.C;
import static jdiffusion.kernels.machine.MachineFunction.C_OFFSET;

/**
 * Attention of 32 queries to some keys on AMX's tiles with an online softmax (Milakov and Gimelshein, 2018): queries
 * are rows, keys lie side by side, so that neither queries nor what is summed for them are transposed.
 *
 * <p>A is one query block's memory, by the offsets here: scores as {@link AmxBlock} sums them, the powers that become
 * of them as rows of bfloat16, for each query the largest score so far, in 16 lanes, and the sum of its powers, in 16
 * parts; then 32 queries of 32 N channels in bfloat16. C are the sums of values, [N blocks of channels]. B is READ
 * chunks of COUNT times 32 keys, one behind the other: keys as columns [block of keys][N steps][two tiles], then values
 * as rows [block of channels][COUNT steps][two tiles]. STRIDE is the float32 f: powers are 2^(f (score - largest)).
 *
 * @param masked whether the last 32 keys' scores are at most what lies at {@link #MASK}: 32 numbers
 * @param biased whether to each score is added what lies WRITE bytes on: for the first query from there on a number for
 *               each key, for every further one from the number before on
 */
record AmxAttentionCode(boolean masked, boolean biased) {
    /** Blocks of 32 keys in a chunk, at most. */
    static final int MOST_BLOCKS = 8;
    static final int POWERS = MOST_BLOCKS * AmxBlock.BYTES;
    static final int POWERS_STRIDE = MOST_BLOCKS * ROW_BYTES;
    static final int LARGEST = POWERS + AmxBlock.SIDE * POWERS_STRIDE;
    static final int TOTALS = LARGEST + AmxBlock.SIDE * ROW_BYTES;
    static final int MASK = TOTALS + AmxBlock.SIDE * ROW_BYTES;
    static final int QUERIES = MASK + 2 * ROW_BYTES;
    /** Below any score. */
    static final float LEAST = -0x1p120f;

    private static final Gpr SUMS = R12;
    private static final AmxBlock BLOCK = new AmxBlock(R11, R10, RSI, B, SUMS, R9, RCX);
    private static final Gpr BLOCKS_LEFT = RAX;
    private static final Gpr CHUNKS_LEFT = RBX;
    private static final Gpr BIAS = RBP;
    private static final Gpr[] SAVED = {RBX, RBP, R12, R13, R14, R15};

    /** Of the softmax, between the products; the distance of a tile's rows is put back behind it. */
    private static final Gpr ROW = R10;
    private static final Gpr POWERS_ROW = R11;
    private static final Gpr AT = RSI;
    private static final Gpr TO = R12;
    private static final Gpr STATE = R13;
    private static final Gpr SUMS_ROW = R14;
    private static final Gpr BIAS_ROW = R15;
    private static final Gpr BIAS_AT = R9;
    private static final Gpr LEFT = RCX;
    private static final Gpr ROWS_LEFT = RAX;

    private static final Vec LARGEST_SCORE = Vec.zmm(0);
    private static final Vec LARGEST_OF_RIGHT = Vec.zmm(1);
    private static final Vec EVEN = Vec.zmm(2);
    private static final Vec ODD = Vec.zmm(3);
    private static final Vec FRACTION = Vec.zmm(4);
    private static final Vec POWER = Vec.zmm(5);
    private static final Vec FRACTION_OF_ODD = Vec.zmm(6);
    private static final Vec POWER_OF_ODD = Vec.zmm(7);
    private static final Vec FACTOR = Vec.zmm(8);
    private static final Vec SHIFT = Vec.zmm(9);
    private static final Vec TOTAL = Vec.zmm(10);
    private static final Vec TOTAL_OF_ODD = Vec.zmm(11);
    private static final Vec MOST_OF_LEFT = Vec.zmm(12);
    private static final Vec MOST_OF_RIGHT = Vec.zmm(13);
    private static final Vec SCALE = Vec.zmm(14);
    private static final Vec NEGATIVE_SCALE = Vec.zmm(15);
    private static final int HALF = AmxBlock.HALF_BYTES;

    void write(Assembler x) {
        x.add(A, A_OFFSET);
        x.add(B, B_OFFSET);
        x.add(C, C_OFFSET);
        x.mov(RAX, MachineFunction.STRIDE);
        x.vpbroadcastd(SCALE, RAX);
        AttentionCode.broadcast(x, NEGATIVE_SCALE, RAX, -0f);
        x.vpxord(NEGATIVE_SCALE, NEGATIVE_SCALE, SCALE);
        AttentionCode.powers(x, RAX);
        AmxTiles.configure(x, R10);
        for (Gpr register : SAVED) {
            x.push(register);
        }
        x.mov(CHUNKS_LEFT, argument(MachineFunction.READ));
        if (biased) {
            x.mov(BIAS, argument(MachineFunction.WRITE));
            x.add(BIAS, A);
        }
        Label chunk = new Label();
        x.bind(chunk);
        scores(x);
        if (masked) {
            mask(x);
        }
        softmax(x);
        values(x);
        if (biased) {
            x.add(BIAS, MOST_BLOCKS * AmxBlock.SIDE * Float.BYTES);
        }
        x.sub(CHUNKS_LEFT, 1);
        x.jne(chunk);
        x.tilerelease();
        x.vzeroupper();
        for (int i = SAVED.length - 1; i >= 0; i--) {
            x.pop(SAVED[i]);
        }
        x.ret();
    }

    private void scores(Assembler x) {
        Label block = new Label();
        x.mov(BLOCK.tileStride(), ROW_BYTES);
        // A query's bytes are as many as those of a tile's row in each step.
        x.mov(BLOCK.rowStride(), 0);
        x.mov(LEFT, argument(MachineFunction.N));
        Label stride = new Label();
        x.bind(stride);
        x.add(BLOCK.rowStride(), ROW_BYTES);
        x.sub(LEFT, 1);
        x.jne(stride);
        x.mov(SUMS, A);
        x.mov(BLOCKS_LEFT, argument(MachineFunction.COUNT));
        x.bind(block);
        x.lea(BLOCK.upper(), Mem.at(A, QUERIES));
        product(x, true, MachineFunction.N);
        x.jne(block);
    }

    private static void product(Assembler x, boolean fresh, Mem steps) {
        BLOCK.begin(x, fresh);
        BLOCK.steps(x, Parts.ONE, argument(steps), () -> { });
        BLOCK.end(x);
        x.add(SUMS, AmxBlock.BYTES);
        x.sub(BLOCKS_LEFT, 1);
    }

    private static void values(Assembler x) {
        Label block = new Label();
        x.mov(BLOCK.tileStride(), ROW_BYTES);
        x.mov(BLOCK.rowStride(), POWERS_STRIDE);
        x.mov(SUMS, C);
        x.mov(BLOCKS_LEFT, argument(MachineFunction.N));
        x.bind(block);
        x.lea(BLOCK.upper(), Mem.at(A, POWERS));
        product(x, false, MachineFunction.COUNT);
        x.jne(block);
    }

    /** The last block's scores, just before {@link #SUMS}. */
    private static void mask(Assembler x) {
        x.vmovups(MOST_OF_LEFT, Mem.at(A, MASK));
        x.vmovups(MOST_OF_RIGHT, Mem.at(A, MASK + ROW_BYTES));
        x.lea(AT, Mem.at(SUMS, -AmxBlock.BYTES));
        x.mov(LEFT, AmxBlock.SIDE);
        Label row = new Label();
        x.bind(row);
        x.vmovups(EVEN, Mem.at(AT));
        x.vmovups(ODD, Mem.at(AT, HALF));
        x.vminps(EVEN, EVEN, MOST_OF_LEFT);
        x.vminps(ODD, ODD, MOST_OF_RIGHT);
        x.vmovups(Mem.at(AT), EVEN);
        x.vmovups(Mem.at(AT, HALF), ODD);
        x.add(AT, ROW_BYTES);
        x.sub(LEFT, 1);
        x.jne(row);
    }

    private void softmax(Assembler x) {
        x.mov(ROW, A);
        x.lea(POWERS_ROW, Mem.at(A, POWERS));
        x.lea(STATE, Mem.at(A, LARGEST));
        x.mov(SUMS_ROW, C);
        if (biased) {
            x.mov(BIAS_ROW, BIAS);
        }
        x.mov(ROWS_LEFT, AmxBlock.SIDE);
        Label row = new Label();
        x.bind(row);
        rise(x);
        rescale(x);
        exponentials(x);
        x.add(ROW, ROW_BYTES);
        x.add(POWERS_ROW, POWERS_STRIDE);
        x.add(STATE, ROW_BYTES);
        x.add(SUMS_ROW, ROW_BYTES);
        if (biased) {
            x.sub(BIAS_ROW, Float.BYTES);
        }
        x.sub(ROWS_LEFT, 1);
        x.jne(row);
    }

    /** The largest score so far, and what earlier sums are multiplied by for it. */
    private void rise(Assembler x) {
        Label block = new Label();
        x.vmovups(LARGEST_SCORE, Mem.at(STATE));
        x.vmovaps(LARGEST_OF_RIGHT, LARGEST_SCORE);
        begin(x);
        x.bind(block);
        if (biased) {
            scores(x, EVEN, ODD);
            x.vmaxps(LARGEST_SCORE, LARGEST_SCORE, EVEN);
            x.vmaxps(LARGEST_OF_RIGHT, LARGEST_OF_RIGHT, ODD);
        } else {
            x.vmaxps(LARGEST_SCORE, LARGEST_SCORE, Mem.at(AT));
            x.vmaxps(LARGEST_OF_RIGHT, LARGEST_OF_RIGHT, Mem.at(AT, HALF));
        }
        next(x);
        x.jne(block);
        x.vmaxps(LARGEST_SCORE, LARGEST_SCORE, LARGEST_OF_RIGHT);
        AttentionCode.inEveryLane(x, x::vmaxps, LARGEST_SCORE, EVEN, ODD);
        x.vmovups(FACTOR, Mem.at(STATE));
        x.vmovups(Mem.at(STATE), LARGEST_SCORE);
        x.vsubps(FACTOR, FACTOR, LARGEST_SCORE);
        x.vmulps(FACTOR, FACTOR, SCALE);
        power(x, FACTOR, FRACTION, POWER);
        x.vmulps(SHIFT, LARGEST_SCORE, NEGATIVE_SCALE);
    }

    private void begin(Assembler x) {
        x.mov(AT, ROW);
        x.mov(LEFT, argument(MachineFunction.COUNT));
        if (biased) {
            x.mov(BIAS_AT, BIAS_ROW);
        }
    }

    /** Scores of 32 keys. */
    private void scores(Assembler x, Vec left, Vec right) {
        x.vmovups(left, Mem.at(AT));
        x.vmovups(right, Mem.at(AT, HALF));
        if (biased) {
            x.vaddps(left, left, Mem.at(BIAS_AT));
            x.vaddps(right, right, Mem.at(BIAS_AT, ROW_BYTES));
            x.add(BIAS_AT, 2 * ROW_BYTES);
        }
    }

    private static void next(Assembler x) {
        x.add(AT, AmxBlock.BYTES);
        x.sub(LEFT, 1);
    }

    /** of = 2^of. */
    private static void power(Assembler x, Vec of, Vec fraction, Vec power) {
        x.vreducepsDown(fraction, of);
        AttentionCode.powerOfFraction(x, fraction, power);
        x.vscalefps(of, power, of);
    }

    private static void rescale(Assembler x) {
        Label block = new Label();
        x.mov(AT, SUMS_ROW);
        x.mov(LEFT, argument(MachineFunction.N));
        x.bind(block);
        x.vmulps(EVEN, FACTOR, Mem.at(AT));
        x.vmulps(ODD, FACTOR, Mem.at(AT, HALF));
        x.vmovups(Mem.at(AT), EVEN);
        x.vmovups(Mem.at(AT, HALF), ODD);
        next(x);
        x.jne(block);
    }

    private void exponentials(Assembler x) {
        Label block = new Label();
        x.vmulps(TOTAL, FACTOR, Mem.at(STATE, TOTALS - LARGEST));
        x.vpxord(TOTAL_OF_ODD, TOTAL_OF_ODD, TOTAL_OF_ODD);
        x.mov(TO, POWERS_ROW);
        begin(x);
        x.bind(block);
        scores(x, EVEN, ODD);
        x.vfmadd213ps(EVEN, SCALE, SHIFT);
        x.vfmadd213ps(ODD, SCALE, SHIFT);
        power(x, EVEN, FRACTION, POWER);
        power(x, ODD, FRACTION_OF_ODD, POWER_OF_ODD);
        x.vaddps(TOTAL, TOTAL, EVEN);
        x.vaddps(TOTAL_OF_ODD, TOTAL_OF_ODD, ODD);
        x.vcvtne2ps2bf16(EVEN, ODD, EVEN);
        x.vmovups(Mem.at(TO), EVEN);
        x.add(TO, ROW_BYTES);
        next(x);
        x.jne(block);
        x.vaddps(TOTAL, TOTAL, TOTAL_OF_ODD);
        x.vmovups(Mem.at(STATE, TOTALS - LARGEST), TOTAL);
    }

    private static Mem argument(Mem place) {
        return place.plus(SAVED.length * Long.BYTES);
    }

    /**
     * COUNT rows of sums of values, N blocks of channels, divided by the softmax's sum: A and B are those of the first
     * row, {@link #TOTALS} and the sums of values, C the first row of the output, STRIDE bytes apart. Where the sum is
     * 0 the output is.
     */
    static void divide(Assembler x, boolean rounds) {
        Vec least = Vec.zmm(12);
        Vec one = Vec.zmm(13);
        x.add(A, A_OFFSET);
        x.add(B, B_OFFSET);
        x.add(C, C_OFFSET);
        AttentionCode.broadcast(x, one, R10, 1);
        AttentionCode.broadcast(x, least, R10, Float.MIN_NORMAL);
        x.mov(ROWS_LEFT, MachineFunction.COUNT);
        Label row = new Label();
        Label block = new Label();
        x.bind(row);
        x.vmovups(TOTAL, Mem.at(A));
        AttentionCode.inEveryLane(x, TOTAL, EVEN, ODD);
        x.vmaxps(TOTAL, least, TOTAL);
        x.vdivps(TOTAL, one, TOTAL);
        x.mov(AT, B);
        x.mov(R11, C);
        x.mov(LEFT, MachineFunction.N);
        x.bind(block);
        x.vmulps(EVEN, TOTAL, Mem.at(AT));
        x.vmulps(ODD, TOTAL, Mem.at(AT, HALF));
        if (rounds) {
            x.vcvtne2ps2bf16(EVEN, ODD, EVEN);
            x.vmovups(Mem.at(R11), EVEN);
            x.add(R11, ROW_BYTES);
        } else {
            x.vmovups(Mem.at(R11), EVEN);
            x.vmovups(Mem.at(R11, ROW_BYTES), ODD);
            x.add(R11, 2 * ROW_BYTES);
        }
        next(x);
        x.jne(block);
        x.add(A, ROW_BYTES);
        x.add(B, ROW_BYTES);
        x.mov(R11, MachineFunction.STRIDE);
        x.add(C, R11);
        x.sub(ROWS_LEFT, 1);
        x.jne(row);
        x.vzeroupper();
        x.ret();
    }
}
