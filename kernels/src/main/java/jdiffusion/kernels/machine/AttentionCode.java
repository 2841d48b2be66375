package jdiffusion.kernels.machine;

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

/**
 * What attention in pairs of bfloat16 does between its products, as machine code with AVX512_BF16; what it reads is
 * float32, or where it is bfloat16 itself, {@link WordCode}'s.
 */
final class AttentionCode {
    /** Words, pairs of bfloat16, of a vector. */
    static final int WORDS = 16;
    private static final int BYTES = 4 * WORDS;
    /** Coefficients of 2^x on [0, 1): the least relative error, 1.6e-7 in float32, of those with 1 at 0 and 2 at 1. */
    private static final float[] POWER = {1, 0x1.62e4c8p-1f, 0x1.ebd8a0p-3f, 0x1.c94440p-5f, 0x1.269df0p-7f,
            0x1.eca6f0p-10f};
    /** Powers of two below it are 0 in float32. */
    static final float LEAST = -200;

    /** Vectors of queries that {@link #softmax} has side by side. */
    private static final int ABREAST = 4;
    private static final Vec EVEN = Vec.zmm(8);
    private static final Vec ODD = Vec.zmm(9);
    private static final Vec FRACTION = Vec.zmm(10);
    private static final Vec POWER_OF_EVEN = Vec.zmm(11);
    private static final Vec POWER_OF_ODD = Vec.zmm(12);
    private static final Vec SCALE = Vec.zmm(13);
    private static final Vec ORDER = Vec.zmm(14);
    private static final Gpr ROW_BYTES = A_OFFSET;
    private static final Gpr VALUE = B_OFFSET;
    private static final Gpr ROWS = RAX;
    private static final Gpr AT = Gpr.R10;
    private static final Gpr TO = Gpr.R11;

    private AttentionCode() {
    }

    /**
     * N rows of float32 from A on, STRIDE bytes apart, COUNT vectors of words long, each rounded to words that follow
     * each other from C on. With a norm each row is first multiplied by 1 / sqrt(mean(row^2) + eps) and, channel by
     * channel, by what lies at B, behind 16 times the factor of the mean and 16 times eps.
     */
    static void rows(Assembler x, boolean norm) {
        Vec low = Vec.zmm(0);
        Vec high = Vec.zmm(1);
        Vec square = Vec.zmm(2);
        Vec other = Vec.zmm(3);
        Vec one = Vec.zmm(4);
        Gpr rows = RAX;
        Gpr stride = A_OFFSET;
        Gpr at = Gpr.R10;
        Gpr left = Gpr.R11;
        Gpr weight = B_OFFSET;
        x.add(A, A_OFFSET);
        x.add(B, B_OFFSET);
        x.add(C, C_OFFSET);
        x.mov(rows, N);
        x.mov(stride, STRIDE);
        if (norm) {
            broadcast(x, one, at, 1);
        }
        Label row = new Label();
        x.bind(row);
        if (norm) {
            Label sum = new Label();
            x.mov(at, A);
            x.mov(left, COUNT);
            x.vsubps(square, one, one);
            x.vsubps(other, one, one);
            x.bind(sum);
            x.vmovups(low, Mem.at(at));
            x.vmovups(high, Mem.at(at, BYTES));
            x.vfmadd231ps(square, low, low);
            x.vfmadd231ps(other, high, high);
            x.add(at, 2 * BYTES);
            x.sub(left, 1);
            x.jne(sum);
            x.vaddps(square, square, other);
            inEveryLane(x, square, low, high);
            x.vmulps(square, square, Mem.at(B));
            x.vaddps(square, square, Mem.at(B, BYTES));
            x.vsqrtps(square, square);
            x.vdivps(square, one, square);
            x.lea(weight, Mem.at(B, 2 * BYTES));
        }
        Label round = new Label();
        x.mov(at, A);
        x.mov(left, COUNT);
        x.bind(round);
        x.vmovups(high, Mem.at(at, BYTES));
        if (norm) {
            x.vmulps(low, square, Mem.at(at));
            x.vmulps(high, high, square);
            x.vmulps(low, low, Mem.at(weight));
            x.vmulps(high, high, Mem.at(weight, BYTES));
            x.vcvtne2ps2bf16(low, high, low);
            x.add(weight, 2 * BYTES);
        } else {
            x.vcvtne2ps2bf16(low, high, Mem.at(at));
        }
        x.vmovups(Mem.at(C), low);
        x.add(at, 2 * BYTES);
        x.add(C, BYTES);
        x.sub(left, 1);
        x.jne(round);
        x.add(A, stride);
        x.sub(rows, 1);
        x.jne(row);
        x.vzeroupper();
        x.ret();
    }

    /** An instruction that makes one vector of two. */
    interface Join {
        void write(Vec to, Vec a, Vec b);
    }

    /** The sum of all lanes, in every lane, in an order that is the same for each. */
    static void inEveryLane(Assembler x, Vec sum, Vec a, Vec b) {
        inEveryLane(x, x::vaddps, sum, a, b);
    }

    /** All lanes joined, in every lane. */
    static void inEveryLane(Assembler x, Join join, Vec all, Vec a, Vec b) {
        for (int parts : new int[] {0x4e, 0xb1}) {
            x.vshuff32x4(a, all, all, parts);
            join.write(all, all, a);
        }
        x.vunpcklpd(a, all, all);
        x.vunpckhpd(b, all, all);
        join.write(all, a, b);
        x.vunpcklps(a, all, all);
        x.vunpckhpd(b, a, a);
        x.vunpcklpd(a, a, a);
        join.write(all, a, b);
    }

    /**
     * 2 N rows of float32 from A on, STRIDE bytes apart, COUNT vectors long, become N rows of words that follow each
     * other from C on: each word two numbers one below the other, rounded. B holds {@link RoundCode#interleave}.
     */
    static void pairs(Assembler x) {
        Vec low = Vec.zmm(0);
        Vec high = Vec.zmm(1);
        Vec order = Vec.zmm(2);
        Gpr rows = RAX;
        Gpr stride = A_OFFSET;
        Gpr at = Gpr.R10;
        Gpr left = Gpr.R11;
        x.add(A, A_OFFSET);
        x.add(B, B_OFFSET);
        x.add(C, C_OFFSET);
        x.mov(rows, N);
        x.mov(stride, STRIDE);
        x.vmovups(order, Mem.at(B));
        Label row = new Label();
        Label vector = new Label();
        x.bind(row);
        x.mov(at, A);
        x.mov(left, COUNT);
        x.bind(vector);
        x.vmovups(high, Mem.at(at, stride, 1));
        x.vcvtne2ps2bf16(low, high, Mem.at(at));
        x.vpermw(low, order, low);
        x.vmovups(Mem.at(C), low);
        x.add(at, BYTES);
        x.add(C, BYTES);
        x.sub(left, 1);
        x.jne(vector);
        x.lea(A, Mem.at(A, stride, 2));
        x.sub(rows, 1);
        x.jne(row);
        x.vzeroupper();
        x.ret();
    }

    /**
     * A block of an online softmax (Milakov and Gimelshein, 2018), queries side by side. Scores [N][columns] at A, N
     * even, become words [N / 2][columns] in their place, each word two keys, of 2^(f (score - largest)), where f is
     * the float32 in the lower half of STRIDE. B is [3][columns]: the largest score so far, the sum of those powers,
     * and in the first words of the third row {@link RoundCode#interleave}. The rows [COUNT][columns] at C, not none,
     * are multiplied by 2^(f (largest before - largest)), and so is the sum before it grows.
     */
    static void softmax(Assembler x, int columns) {
        x.add(A, A_OFFSET);
        x.add(B, B_OFFSET);
        x.add(C, C_OFFSET);
        int row = 4 * columns;
        x.mov(ROW_BYTES, row);
        x.mov(VALUE, STRIDE);
        x.vpbroadcastd(SCALE, VALUE);
        x.vmovups(ORDER, Mem.at(B, 2 * row));
        powers(x, VALUE);
        for (int first = 0; first < columns / WORDS; first += ABREAST) {
            softmax(x, row, first * BYTES, Math.min(ABREAST, columns / WORDS - first));
        }
        x.vzeroupper();
        x.ret();
    }

    /** The same for {@code n} vectors of queries, so that rows are gone through from their beginning to their end. */
    private static void softmax(Assembler x, int row, int column, int n) {
        Label rise = new Label();
        for (int j = 0; j < n; j++) {
            x.vmovups(largest(j), Mem.at(B, column + j * BYTES));
            x.vmovaps(largestOfOdd(j), largest(j));
        }
        x.lea(AT, Mem.at(A, column));
        x.mov(ROWS, N);
        x.bind(rise);
        for (int j = 0; j < n; j++) {
            x.vmaxps(largest(j), largest(j), Mem.at(AT, j * BYTES));
            x.vmaxps(largestOfOdd(j), largestOfOdd(j), Mem.at(AT, ROW_BYTES, 1).plus(j * BYTES));
        }
        x.lea(AT, Mem.at(AT, ROW_BYTES, 2));
        x.sub(ROWS, 2);
        x.jne(rise);

        Vec negative = EVEN;
        broadcast(x, negative, VALUE, 0);
        x.vsubps(negative, negative, SCALE);
        for (int j = 0; j < n; j++) {
            x.vmaxps(largest(j), largest(j), largestOfOdd(j));
            x.vmovups(ODD, Mem.at(B, column + j * BYTES));
            x.vmovups(Mem.at(B, column + j * BYTES), largest(j));
            x.vsubps(ODD, ODD, largest(j));
            x.vmulps(ODD, ODD, SCALE);
            x.vmaxps(ODD, least(), ODD);
            power(x, ODD, FRACTION, POWER_OF_EVEN);
            x.vscalefps(factor(j), POWER_OF_EVEN, ODD);
            x.vmulps(largest(j), largest(j), negative);
        }

        Label rescale = new Label();
        x.lea(AT, Mem.at(C, column));
        x.mov(ROWS, COUNT);
        x.bind(rescale);
        for (int j = 0; j < n; j++) {
            x.vmulps(ODD, factor(j), Mem.at(AT, j * BYTES));
            x.vmovups(Mem.at(AT, j * BYTES), ODD);
        }
        x.add(AT, ROW_BYTES);
        x.sub(ROWS, 1);
        x.jne(rescale);

        Label exponential = new Label();
        for (int j = 0; j < n; j++) {
            x.vmulps(sum(j), factor(j), Mem.at(B, row + column + j * BYTES));
        }
        x.lea(AT, Mem.at(A, column));
        x.lea(TO, Mem.at(A, column));
        x.mov(ROWS, N);
        x.bind(exponential);
        for (int j = 0; j < n; j++) {
            Vec shift = largest(j);
            x.vmovups(EVEN, Mem.at(AT, j * BYTES));
            x.vmovups(ODD, Mem.at(AT, ROW_BYTES, 1).plus(j * BYTES));
            x.vfmadd213ps(EVEN, SCALE, shift);
            x.vfmadd213ps(ODD, SCALE, shift);
            x.vmaxps(EVEN, least(), EVEN);
            x.vmaxps(ODD, least(), ODD);
            power(x, EVEN, FRACTION, POWER_OF_EVEN);
            power(x, ODD, FRACTION, POWER_OF_ODD);
            x.vscalefps(EVEN, POWER_OF_EVEN, EVEN);
            x.vscalefps(ODD, POWER_OF_ODD, ODD);
            x.vaddps(sum(j), sum(j), EVEN);
            x.vaddps(sum(j), sum(j), ODD);
            x.vcvtne2ps2bf16(EVEN, ODD, EVEN);
            x.vpermw(EVEN, ORDER, EVEN);
            x.vmovups(Mem.at(TO, j * BYTES), EVEN);
        }
        x.lea(AT, Mem.at(AT, ROW_BYTES, 2));
        x.add(TO, ROW_BYTES);
        x.sub(ROWS, 2);
        x.jne(exponential);
        for (int j = 0; j < n; j++) {
            x.vmovups(Mem.at(B, row + column + j * BYTES), sum(j));
        }
    }

    /** The largest score of a vector of queries, later what is added to scaled scores. */
    private static Vec largest(int j) {
        return Vec.zmm(j);
    }

    private static Vec largestOfOdd(int j) {
        return Vec.zmm(ABREAST + j);
    }

    private static Vec factor(int j) {
        return Vec.zmm(ABREAST + j);
    }

    private static Vec sum(int j) {
        return Vec.zmm(ABREAST + j);
    }

    /** Writes what {@link #power} needs, and {@link #least}, into registers 16 to 22. */
    static void powers(Assembler x, Gpr scratch) {
        for (int i = 0; i < POWER.length; i++) {
            broadcast(x, coefficient(i), scratch, POWER[i]);
        }
        broadcast(x, least(), scratch, LEAST);
    }

    /** to = 2^(of - floor(of)). */
    static void power(Assembler x, Vec of, Vec fraction, Vec to) {
        x.vrndscalepsDown(fraction, of);
        x.vsubps(fraction, of, fraction);
        powerOfFraction(x, fraction, to);
    }

    /** to = 2^fraction by Horner's rule. */
    static void powerOfFraction(Assembler x, Vec fraction, Vec to) {
        int last = POWER.length - 1;
        x.vmovaps(to, coefficient(last));
        for (int i = last - 1; i >= 0; i--) {
            x.vfmadd213ps(to, fraction, coefficient(i));
        }
    }

    private static Vec coefficient(int i) {
        return Vec.zmm(16 + i);
    }

    static Vec least() {
        return Vec.zmm(16 + POWER.length);
    }

    static void broadcast(Assembler x, Vec to, Gpr by, float value) {
        x.mov(by, Float.floatToRawIntBits(value));
        x.vpbroadcastd(to, by);
    }
}
