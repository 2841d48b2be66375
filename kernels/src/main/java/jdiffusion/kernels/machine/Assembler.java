package jdiffusion.kernels.machine;

/**
 * The instructions that the kernels are made of, one method each, named as in Intel's manual; operands in Intel's
 * order, the destination first. Vector instructions take the shorter VEX form where their registers allow it.
 */
final class Assembler extends Encoder {
    private static final Op VMOVUPS_LOAD = new Op(MAP_0F, NONE, false, 0x10);
    private static final Op VMOVUPS_STORE = new Op(MAP_0F, NONE, false, 0x11);
    private static final Op VMOVAPS = new Op(MAP_0F, NONE, false, 0x28);
    private static final Op VBROADCASTSS = new Op(MAP_0F38, P66, false, 0x18);
    private static final Op VFMADD231PS = new Op(MAP_0F38, P66, false, 0xb8);
    private static final Op VDPBF16PS = new Op(MAP_0F38, PF3, false, 0x52);
    private static final Op VCVTNE2PS2BF16 = new Op(MAP_0F38, PF2, false, 0x72);
    private static final Op VPERMW = new Op(MAP_0F38, P66, true, 0x8d);
    private static final Op VADDPS = new Op(MAP_0F, NONE, false, 0x58);
    private static final Op VMULPS = new Op(MAP_0F, NONE, false, 0x59);
    private static final Op VPERMT2W = new Op(MAP_0F38, P66, true, 0x7d);
    private static final Op VPSLLD = new Op(MAP_0F, P66, false, 0x72);
    private static final Op VPANDD = new Op(MAP_0F, P66, false, 0xdb);
    private static final Op VPXORD = new Op(MAP_0F, P66, false, 0xef);
    private static final Op VSUBPS = new Op(MAP_0F, NONE, false, 0x5c);
    private static final Op VDIVPS = new Op(MAP_0F, NONE, false, 0x5e);
    private static final Op VMAXPS = new Op(MAP_0F, NONE, false, 0x5f);
    private static final Op VMINPS = new Op(MAP_0F, NONE, false, 0x5d);
    private static final Op VSQRTPS = new Op(MAP_0F, NONE, false, 0x51);
    private static final Op VFMADD213PS = new Op(MAP_0F38, P66, false, 0xa8);
    private static final Op VRNDSCALEPS = new Op(MAP_0F3A, P66, false, 0x08);
    private static final Op VREDUCEPS = new Op(MAP_0F3A, P66, false, 0x56);
    private static final Op VSCALEFPS = new Op(MAP_0F38, P66, false, 0x2c);
    private static final Op VPBROADCASTD = new Op(MAP_0F38, P66, false, 0x7c);
    private static final Op VUNPCKLPS = new Op(MAP_0F, NONE, false, 0x14);
    private static final Op VUNPCKHPS = new Op(MAP_0F, NONE, false, 0x15);
    private static final Op VUNPCKLPD = new Op(MAP_0F, P66, true, 0x14);
    private static final Op VUNPCKHPD = new Op(MAP_0F, P66, true, 0x15);
    private static final Op VSHUFF32X4 = new Op(MAP_0F3A, P66, false, 0x23);
    private static final Op LDTILECFG = new Op(MAP_0F38, NONE, false, 0x49);
    private static final Op TILEZERO = new Op(MAP_0F38, PF2, false, 0x49);
    private static final Op TILELOADD = new Op(MAP_0F38, PF2, false, 0x4b);
    private static final Op TILELOADDT1 = new Op(MAP_0F38, P66, false, 0x4b);
    private static final Op TILESTORED = new Op(MAP_0F38, PF3, false, 0x4b);
    private static final Op TDPBF16PS = new Op(MAP_0F38, PF3, false, 0x5c);
    private static final int FLOAT = 4;
    /** What stands for a register where VPSLLD's opcode has shifts of several kinds. */
    private static final int LEFT = 6;
    /** Rounding to whole numbers towards minus infinity, as an operand. */
    private static final int DOWN = 9;

    void mov(Gpr to, Gpr from) {
        rexRegister(0x89, from.number(), to);
    }

    /** The value is extended by its sign. */
    void mov(Gpr to, int value) {
        rexRegister(0xc7, 0, to);
        emitInt(value);
    }

    void mov(Gpr to, Mem from) {
        rexMemory(true, new int[] {0x8b}, to.number(), from);
    }

    void mov(Mem to, Gpr from) {
        rexMemory(true, new int[] {0x89}, from.number(), to);
    }

    /** The lower 32 bits. */
    void movd(Mem to, Gpr from) {
        rexMemory(false, new int[] {0x89}, from.number(), to);
    }

    void lea(Gpr to, Mem of) {
        rexMemory(true, new int[] {0x8d}, to.number(), of);
    }

    void add(Gpr to, Gpr value) {
        rexRegister(0x01, value.number(), to);
    }

    void add(Gpr to, int value) {
        rexRegister(0x81, 0, to);
        emitInt(value);
    }

    void sub(Gpr to, int value) {
        rexRegister(0x81, 5, to);
        emitInt(value);
    }

    void push(Gpr register) {
        emit(0x40 | register.number() >> 3, 0x50 | register.number() & 7);
    }

    void pop(Gpr register) {
        emit(0x40 | register.number() >> 3, 0x58 | register.number() & 7);
    }

    /** Jumps where the last sum or difference was not zero. */
    void jne(Label to) {
        emit(0x0f, 0x85);
        emitDistance(to);
    }

    /** Brings the cache line of an address, if there is one, into the first-level cache. */
    void prefetcht0(Mem address) {
        rexMemory(false, new int[] {0x0f, 0x18}, 1, address);
    }

    /** The same into the second-level cache. */
    void prefetcht1(Mem address) {
        rexMemory(false, new int[] {0x0f, 0x18}, 2, address);
    }

    /** The same into the first-level cache, to be written. */
    void prefetchw(Mem address) {
        rexMemory(false, new int[] {0x0f, 0x0d}, 1, address);
    }

    void ret() {
        emit(0xc3);
    }

    void cpuid() {
        emit(0x0f, 0xa2);
    }

    void xgetbv() {
        emit(0x0f, 0x01, 0xd0);
    }

    void vmovups(Vec to, Mem from) {
        vector(VMOVUPS_LOAD, to, null, from, to.bytes());
    }

    void vmovaps(Vec to, Vec from) {
        vector(VMOVAPS, to, null, from);
    }

    void vmovups(Mem to, Vec from) {
        vector(VMOVUPS_STORE, from, null, to, from.bytes());
    }

    void vbroadcastss(Vec to, Mem from) {
        vector(VBROADCASTSS, to, null, from, FLOAT);
    }

    /** sum += a * b, rounded once. */
    void vfmadd231ps(Vec sum, Vec a, Vec b) {
        vector(VFMADD231PS, sum, a, b);
    }

    /** sum += a.odd * b.odd + a.even * b.even on pairs of bfloat16; subnormal numbers count as zero. */
    void vdpbf16ps(Vec sum, Vec a, Vec b) {
        evex(VDPBF16PS, sum, a, b);
    }

    /** {@code low} and {@code high} rounded to bfloat16, those of {@code low} in the lower half. */
    void vcvtne2ps2bf16(Vec to, Vec high, Mem low) {
        evex(VCVTNE2PS2BF16, to, high, low, to.bytes());
    }

    void vcvtne2ps2bf16(Vec to, Vec high, Vec low) {
        evex(VCVTNE2PS2BF16, to, high, low);
    }

    /** Lane i of 16 bits is lane index[i] of {@code from}. */
    void vpermw(Vec to, Vec index, Vec from) {
        evex(VPERMW, to, index, from);
    }

    /** Lane i of 16 bits is lane index[i] of {@code to} and {@code high}, counted one after the other. */
    void vpermt2w(Vec to, Vec index, Mem high) {
        evex(VPERMT2W, to, index, high, to.bytes());
    }

    /** Words of 32 bits moved to the left by {@code bits}, zeros behind them. */
    void vpslld(Vec to, Mem words, int bits) {
        evex(VPSLLD, new Vec(LEFT, to.bits()), to, words, to.bytes());
        emit(bits);
    }

    void vaddps(Vec to, Vec a, Vec b) {
        vector(VADDPS, to, a, b);
    }

    void vaddps(Vec to, Vec a, Mem b) {
        vector(VADDPS, to, a, b, to.bytes());
    }

    void vmulps(Vec to, Vec a, Vec b) {
        vector(VMULPS, to, a, b);
    }

    void vmulps(Vec to, Vec a, Mem b) {
        vector(VMULPS, to, a, b, to.bytes());
    }

    void vpandd(Vec to, Vec a, Mem b) {
        evex(VPANDD, to, a, b, to.bytes());
    }

    /** Exclusive or: 0 where both are the same. */
    void vpxord(Vec to, Vec a, Vec b) {
        evex(VPXORD, to, a, b);
    }

    void vsubps(Vec to, Vec a, Vec b) {
        vector(VSUBPS, to, a, b);
    }

    void vdivps(Vec to, Vec a, Vec b) {
        vector(VDIVPS, to, a, b);
    }

    void vsqrtps(Vec to, Vec of) {
        vector(VSQRTPS, to, null, of);
    }

    /** The greater; b where either is NaN. */
    void vmaxps(Vec to, Vec a, Vec b) {
        vector(VMAXPS, to, a, b);
    }

    void vmaxps(Vec to, Vec a, Mem b) {
        vector(VMAXPS, to, a, b, to.bytes());
    }

    /** The smaller; b where either is NaN. */
    void vminps(Vec to, Vec a, Vec b) {
        vector(VMINPS, to, a, b);
    }

    /** to = a * to + b, rounded once. */
    void vfmadd213ps(Vec to, Vec a, Vec b) {
        vector(VFMADD213PS, to, a, b);
    }

    /** The greatest whole number that is not above. */
    void vrndscalepsDown(Vec to, Vec of) {
        evex(VRNDSCALEPS, to, null, of);
        emit(DOWN);
    }

    /** of - floor(of), rounded down; 0 where it is infinite. */
    void vreducepsDown(Vec to, Vec of) {
        evex(VREDUCEPS, to, null, of);
        emit(DOWN);
    }

    /** to = a * 2^floor(b). */
    void vscalefps(Vec to, Vec a, Vec b) {
        evex(VSCALEFPS, to, a, b);
    }

    /** The lower 32 bits, in every lane. */
    void vpbroadcastd(Vec to, Gpr value) {
        evex(VPBROADCASTD, to, null, value);
    }

    /** In each 128 bits: a0 b0 a1 b1. */
    void vunpcklps(Vec to, Vec a, Vec b) {
        vector(VUNPCKLPS, to, a, b);
    }

    /** In each 128 bits: a2 b2 a3 b3. */
    void vunpckhps(Vec to, Vec a, Vec b) {
        vector(VUNPCKHPS, to, a, b);
    }

    /** In each 128 bits: the lower 64 of a, then those of b. */
    void vunpcklpd(Vec to, Vec a, Vec b) {
        vector(VUNPCKLPD, to, a, b);
    }

    /** In each 128 bits: the upper 64 of a, then those of b. */
    void vunpckhpd(Vec to, Vec a, Vec b) {
        vector(VUNPCKHPD, to, a, b);
    }

    /**
     * Parts of 128 bits by number: half of them of a, then half of b; of 512 bits each two bits of {@code parts} are a
     * number, of 256 bits each bit.
     */
    void vshuff32x4(Vec to, Vec a, Vec b, int parts) {
        evex(VSHUFF32X4, to, a, b);
        emit(parts);
    }

    /** Sets the shapes of all tiles by 64 bytes, and all tiles to 0. */
    void ldtilecfg(Mem shapes) {
        tile(LDTILECFG, 0, shapes);
    }

    /** Gives the tiles back: until the next ldtilecfg there are none. */
    void tilerelease() {
        tile(LDTILECFG, 0, 0, 0);
    }

    void tilezero(Tmm tile) {
        tile(TILEZERO, tile.number(), 0, 0);
    }

    /** Rows of a tile, from memory that is base + displacement; index times scale is the distance of rows. */
    void tileloadd(Tmm to, Mem rows) {
        tile(TILELOADD, to.number(), rowsApart(rows));
    }

    /** The same of memory that need not stay in the nearest cache. */
    void tileloaddt1(Tmm to, Mem rows) {
        tile(TILELOADDT1, to.number(), rowsApart(rows));
    }

    void tilestored(Mem rows, Tmm from) {
        tile(TILESTORED, from.number(), rowsApart(rows));
    }

    /**
     * sum [m][n] += a [m][k] b [k][n], where words of a and b are pairs of bfloat16: for each element one chain of
     * products of the lower halves, one of the upper, then their sum, all from 0 on, added to what was there; subnormal
     * numbers count as zero.
     */
    void tdpbf16ps(Tmm sum, Tmm a, Tmm b) {
        tile(TDPBF16PS, sum.number(), b.number(), a.number());
    }

    private static Mem rowsApart(Mem rows) {
        if (rows.index() == null) {
            throw new IllegalArgumentException("rows of a tile need an index, their distance");
        }
        return rows;
    }

    /** To be run before returning to code that may use SSE. */
    void vzeroupper() {
        emit(0xc5, 0xf8, 0x77);
    }
}
