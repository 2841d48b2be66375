package jdiffusion.kernels.machine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Every form of every instruction: run on this CPU, where it has it, and in the interpreter, and compared with Java;
 * or, where it has no visible effect, by its bytes.
 */
class AssemblerTest {
    private static final Gpr[] SAVED = {Gpr.RBX, Gpr.RBP, Gpr.R12, Gpr.R13, Gpr.R14, Gpr.R15};

    private static final int ODD = 3;

    /** An instruction on three vectors. */
    private interface Form {
        void write(Assembler x, Vec to, Vec a, Vec b);
    }

    /** What it does to a lane; {@code to} is what the destination held. */
    private interface Lanes {
        float of(float[] to, float[] a, float[] b, int lane);
    }

    private static void assumeMachineCode() {
        assumeTrue(CodeMemory.obstacle() == null, () -> "no machine code: " + CodeMemory.obstacle());
    }

    /** Runs {@code body}, which leaves its result in RAX, with N and STRIDE given; all registers are its to use. */
    private static int run(long n, long stride, Consumer<Assembler> body) {
        assumeMachineCode();
        int[] result = new int[1];
        try (BothWays function = new BothWays(CpuLevel.VECTOR, x -> {
            x.mov(Gpr.RAX, MachineFunction.N);
            x.mov(Gpr.R10, MachineFunction.STRIDE);
            x.push(MachineFunction.C);
            for (Gpr register : SAVED) {
                x.push(register);
            }
            body.accept(x);
            for (int i = SAVED.length - 1; i >= 0; i--) {
                x.pop(SAVED[i]);
            }
            x.pop(MachineFunction.C);
            x.movd(Mem.at(MachineFunction.C), Gpr.RAX);
            x.ret();
        })) {
            function.call(MemorySegment.NULL, 0, MemorySegment.NULL, 0, MemorySegment.ofArray(result), 0, n, stride, 0);
        }
        return result[0];
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "RSP")
    void everyRegisterAsOperand(Gpr r) {
        Gpr other = r == Gpr.R10 ? Gpr.R11 : Gpr.R10;
        assertThat(run(0, 0, x -> {
            x.mov(r, -1000);
            x.add(r, 30);
            x.sub(r, 5000);
            x.mov(other, r);
            x.add(other, r);
            x.push(other);
            x.pop(r);
            x.mov(Gpr.RAX, r);
        })).isEqualTo(2 * (-1000 + 30 - 5000));
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "RSP")
    void everyRegisterInAnAddress(Gpr base) {
        for (Gpr index : Gpr.values()) {
            if (index == base || index == Gpr.RSP) {
                continue;
            }
            for (int displacement : new int[] {0, 1, -128, 127, 128, -129, 1 << 20}) {
                int scale = 1 << (index.number() & 3);
                assertThat(run(0, 0, x -> {
                    x.mov(base, 1000);
                    x.mov(index, 77);
                    x.lea(Gpr.RAX, Mem.at(base, index, scale).plus(displacement));
                })).as("%s + %s * %s + %s", base, index, scale, displacement)
                        .isEqualTo(1000 + 77 * scale + displacement);
            }
        }
        assertThat(run(0, 0, x -> {
            x.mov(base, 1000);
            x.lea(Gpr.R9, Mem.at(base, -7));
            x.lea(Gpr.RAX, Mem.at(Gpr.R9));
        })).isEqualTo(993);
    }

    @Test
    void jumpsForwardAndBack() {
        // Sums 1 to n, but leaves out 1 where there is a jump over it.
        for (int n : new int[] {1, 2, 3, 10, 100}) {
            assertThat(run(n, 0, x -> {
                Label loop = new Label();
                Label skip = new Label();
                x.mov(Gpr.RCX, Gpr.RAX);
                x.mov(Gpr.RAX, 0);
                x.bind(loop);
                x.add(Gpr.RAX, Gpr.RCX);
                x.sub(Gpr.RCX, 1);
                x.jne(loop);
                x.sub(Gpr.R10, 1);
                x.jne(skip);
                x.add(Gpr.RAX, 1000);
                x.bind(skip);
                x.add(Gpr.RAX, 7);
            })).isEqualTo(n * (n + 1) / 2 + 7);
        }
        assertThat(run(0, 1, x -> {
            Label skip = new Label();
            x.sub(Gpr.R10, 1);
            x.jne(skip);
            x.mov(Gpr.RAX, 5);
            x.bind(skip);
        })).isEqualTo(5);
    }

    @Test
    void labelsAreBoundOnce() {
        Assembler x = new Assembler();
        Label label = new Label();
        x.jne(label);
        assertThatThrownBy(x::code).isInstanceOf(IllegalStateException.class).hasMessageContaining("not bound");
        x.bind(label);
        assertThat(x.code()).hasSize(6);
        assertThatThrownBy(() -> x.bind(label)).isInstanceOf(IllegalStateException.class).hasMessageContaining("twice");
    }

    @Test
    void wordsAreStoredInEveryRegister() {
        assertThat(run(123, 456, x -> {
            x.push(Gpr.RAX);
            x.mov(Gpr.R13, Gpr.R10);
            x.movd(Mem.at(Gpr.RSP, 4), Gpr.R13);
            x.mov(Gpr.RCX, Mem.at(Gpr.RSP, 4));
            x.movd(Mem.at(Gpr.RSP), Gpr.RCX);
            x.pop(Gpr.RAX);
        })).isEqualTo(456);
        assertThat(run(123, 456, x -> {
            x.push(Gpr.RAX);
            x.mov(Mem.at(Gpr.RSP), Gpr.R10);
            x.pop(Gpr.RAX);
        })).isEqualTo(456);
    }

    /** As binutils' assembler writes them, but for the VEX prefix, which it shortens to two bytes where it can. */
    @Test
    void bytesAreThoseOfAnotherAssembler() {
        check(Assembler::cpuid, "0fa2");
        check(Assembler::xgetbv, "0f01d0");
        check(Assembler::vzeroupper, "c5f877");
        check(x -> x.prefetcht0(Mem.at(Gpr.R10, 512)), "410f188a00020000");
        check(x -> x.prefetcht1(Mem.at(Gpr.RDI)), "0f1817");
        check(x -> x.prefetcht1(Mem.at(Gpr.R11, 64)), "410f185340");
        check(x -> x.prefetchw(Mem.at(Gpr.R11)), "410f0d0b");
        check(x -> x.prefetchw(Mem.at(Gpr.RAX, Gpr.R9, 1).plus(4096)), "420f0d8c0800100000");
        Mem indexed = Mem.at(Gpr.R12, Gpr.R13, 4);
        check(x -> x.vmovups(Vec.zmm(1), indexed.plus(64)), "62917c48104cac01");
        check(x -> x.vmovups(Vec.zmm(31), Mem.at(Gpr.RBP, 100)), "62617c4810bd64000000");
        check(x -> x.vmovups(Mem.at(Gpr.RDX, Gpr.R10, 1).plus(-128), Vec.zmm(17)), "62a17c48114c12fe");
        check(x -> x.vbroadcastss(Vec.ymm(14), Mem.at(Gpr.R11, Gpr.R10, 2).plus(4)), "c4027d18745304");
        check(x -> x.vbroadcastss(Vec.zmm(28), Mem.at(Gpr.RDI, Gpr.R10, 1).plus(4)), "62227d4818641701");
        check(x -> x.vbroadcastss(Vec.zmm(28), Mem.at(Gpr.RDI, 508)), "62627d4818677f");
        check(x -> x.vbroadcastss(Vec.zmm(28), Mem.at(Gpr.RDI, 512)), "62627d4818a700020000");
        check(x -> x.vfmadd231ps(Vec.ymm(0), Vec.ymm(14), Vec.ymm(12)), "c4c20db8c4");
        check(x -> x.vfmadd231ps(Vec.zmm(23), Vec.zmm(28), Vec.zmm(27)), "62821d40b8fb");
        check(x -> x.vdpbf16ps(Vec.zmm(23), Vec.zmm(28), Vec.zmm(27)), "62821e4052fb");
        check(x -> x.vdpbf16ps(Vec.xmm(3), Vec.xmm(4), Vec.xmm(5)), "62f25e0852dd");
        check(x -> x.vcvtne2ps2bf16(Vec.zmm(0), Vec.zmm(1), Mem.at(Gpr.RDI)), "62f277487207");
        check(x -> x.vpermw(Vec.zmm(0), Vec.zmm(2), Vec.zmm(0)), "62f2ed488dc0");
        check(x -> x.vpermt2w(Vec.zmm(17), Vec.zmm(30), Mem.at(Gpr.RDI, 64)), "62e28d407d4f01");
        check(x -> x.vpermt2w(Vec.ymm(1), Vec.ymm(2), Mem.at(Gpr.R11)), "62d2ed287d0b");
        check(x -> x.vpslld(Vec.zmm(17), Mem.at(Gpr.R10, 128), 16), "62d1754072720210");
        check(x -> x.vpslld(Vec.ymm(9), indexed.plus(32), 31), "629135287274ac011f");
        check(x -> x.vpandd(Vec.zmm(0), Vec.zmm(25), Mem.at(Gpr.R10, -64)), "62d13540db42ff");
        check(x -> x.vunpcklps(Vec.zmm(16), Vec.zmm(1), Vec.zmm(31)), "6281744814c7");
        check(x -> x.vunpckhps(Vec.zmm(16), Vec.zmm(1), Vec.zmm(31)), "6281744815c7");
        check(x -> x.vunpcklpd(Vec.zmm(16), Vec.zmm(1), Vec.zmm(31)), "6281f54814c7");
        check(x -> x.vunpckhpd(Vec.zmm(16), Vec.zmm(1), Vec.zmm(31)), "6281f54815c7");
        check(x -> x.vshuff32x4(Vec.zmm(0), Vec.zmm(17), Vec.zmm(3), 0xdd), "62f3754023c3dd");
        check(x -> x.vshuff32x4(Vec.ymm(1), Vec.ymm(2), Vec.ymm(3), 1), "62f36d2823cb01");
        check(x -> x.vaddps(Vec.zmm(0), Vec.zmm(17), Vec.zmm(3)), "62f1744058c3");
        check(x -> x.vaddps(Vec.zmm(1), Vec.zmm(2), Mem.at(Gpr.RDX, 64)), "62f16c48584a01");
        check(x -> x.vmulps(Vec.zmm(0), Vec.zmm(17), Vec.zmm(3)), "62f1744059c3");
        check(x -> x.vrndscalepsDown(Vec.zmm(5), Vec.zmm(18)), "62b37d4808ea09");
        check(x -> x.vreducepsDown(Vec.zmm(5), Vec.zmm(18)), "62b37d4856ea09");
        check(x -> x.vscalefps(Vec.zmm(1), Vec.zmm(7), Vec.zmm(18)), "62b245482cca");
        check(x -> x.vpbroadcastd(Vec.zmm(22), Gpr.R9), "62c27d487cf1");
        check(x -> x.vpxord(Vec.zmm(23), Vec.zmm(23), Vec.zmm(23)), "62a14540efff");
        check(x -> x.vfmadd213ps(Vec.zmm(7), Vec.zmm(5), Vec.zmm(20)), "62b25548a8fc");
    }

    @Test
    void bytesOfTilesAreThoseOfAnotherAssembler() {
        check(x -> x.ldtilecfg(Mem.at(Gpr.RSP)), "c4e278490424");
        check(Assembler::tilerelease, "c4e27849c0");
        check(x -> x.tilezero(Tmm.TMM5), "c4e27b49e8");
        check(x -> x.tileloadd(Tmm.TMM4, Mem.at(Gpr.R11, Gpr.RSI, 1)), "c4c27b4b2433");
        check(x -> x.tileloadd(Tmm.TMM7, Mem.at(Gpr.RDX, Gpr.R9, 1).plus(1024)), "c4a27b4bbc0a00040000");
        check(x -> x.tileloaddt1(Tmm.TMM6, Mem.at(Gpr.R13, Gpr.R12, 2).plus(16)), "c482794b746510");
        check(x -> x.tilestored(Mem.at(Gpr.R8, Gpr.R9, 1).plus(2048), Tmm.TMM3), "c4827a4b9c0800080000");
        check(x -> x.tdpbf16ps(Tmm.TMM1, Tmm.TMM4, Tmm.TMM7), "c4e2425ccc");
        assertThatThrownBy(() -> new Assembler().tileloadd(Tmm.TMM0, Mem.at(Gpr.RAX)))
                .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("index");
    }

    private static void check(Consumer<Assembler> body, String hex) {
        Assembler x = new Assembler();
        body.accept(x);
        assertThat(HexFormat.of().formatHex(x.code())).isEqualTo(hex);
    }

    @ParameterizedTest
    @ValueSource(ints = {128, 256, 512})
    void vectorInstructions(int bits) {
        CpuLevel level = bits == 512 ? CpuLevel.AVX512 : CpuLevel.AVX2;
        three(level, bits, Assembler::vfmadd231ps, (to, a, b, i) -> Math.fma(a[i], b[i], to[i]));
        three(level, bits, (x, to, a, b) -> x.vmovups(to, Mem.at(MachineFunction.A, ODD)), (to, a, b, i) -> a[i]);
        three(level, bits, (x, to, a, b) -> x.vmovups(to, Mem.at(MachineFunction.B)), (to, a, b, i) -> b[i]);
        three(level, bits, (x, to, a, b) -> x.vbroadcastss(to, Mem.at(MachineFunction.B, 8)), (to, a, b, i) -> b[2]);
        three(level, bits, (x, to, a, b) -> x.vbroadcastss(to, Mem.at(MachineFunction.A, ODD + 12)),
                (to, a, b, i) -> a[3]);
        three(level, bits, Assembler::vaddps, (to, a, b, i) -> a[i] + b[i]);
        three(level, bits, (x, to, a, b) -> x.vaddps(to, a, Mem.at(MachineFunction.B)), (to, a, b, i) -> a[i] + b[i]);
        three(level, bits, Assembler::vmulps, (to, a, b, i) -> a[i] * b[i]);
        three(level, bits, (x, to, a, b) -> x.vmulps(to, a, Mem.at(MachineFunction.B)), (to, a, b, i) -> a[i] * b[i]);
    }

    @ParameterizedTest
    @ValueSource(ints = {128, 256, 512})
    void arithmetic(int bits) {
        CpuLevel level = bits == 512 ? CpuLevel.AVX512 : CpuLevel.AVX2;
        three(level, bits, Assembler::vsubps, (to, a, b, i) -> a[i] - b[i]);
        three(level, bits, Assembler::vdivps, (to, a, b, i) -> a[i] / b[i]);
        three(level, bits, (x, to, a, b) -> x.vsqrtps(to, b), (to, a, b, i) -> (float) Math.sqrt(b[i]));
        three(level, bits, (x, to, a, b) -> x.vmovaps(to, b), (to, a, b, i) -> b[i]);
        three(level, bits, Assembler::vmaxps, (to, a, b, i) -> Math.max(a[i], b[i]));
        three(level, bits, (x, to, a, b) -> x.vmaxps(to, a, Mem.at(MachineFunction.B)),
                (to, a, b, i) -> Math.max(a[i], b[i]));
        three(level, bits, Assembler::vfmadd213ps, (to, a, b, i) -> Math.fma(a[i], to[i], b[i]));
        three(CpuLevel.AVX512, bits, Assembler::vpxord, (to, a, b, i) -> Float.intBitsToFloat(
                Float.floatToRawIntBits(a[i]) ^ Float.floatToRawIntBits(b[i])));
        three(CpuLevel.AVX512, bits, (x, to, a, b) -> x.vpandd(to, a, Mem.at(MachineFunction.B)),
                (to, a, b, i) -> Float.intBitsToFloat(Float.floatToRawIntBits(a[i]) & Float.floatToRawIntBits(b[i])));
        for (int distance : new int[] {0, 1, 16, 31}) {
            three(CpuLevel.AVX512, bits, (x, to, a, b) -> x.vpslld(to, Mem.at(MachineFunction.A, ODD), distance),
                    (to, a, b, i) -> Float.intBitsToFloat(Float.floatToRawIntBits(a[i]) << distance));
        }
        three(CpuLevel.AVX512, bits, (x, to, a, b) -> {
            x.vdivps(to, a, b);
            x.vrndscalepsDown(to, to);
        }, (to, a, b, i) -> (float) Math.floor(a[i] / b[i]));
        three(CpuLevel.AVX512, bits, (x, to, a, b) -> {
            x.vdivps(to, a, b);
            x.vreducepsDown(to, to);
        }, (to, a, b, i) -> a[i] / b[i] == Math.floor(a[i] / b[i]) ? -0f
                : a[i] / b[i] - (float) Math.floor(a[i] / b[i]));
        three(CpuLevel.AVX512, bits, Assembler::vscalefps,
                (to, a, b, i) -> (float) (a[i] * Math.pow(2, Math.floor(b[i]))));
        for (Gpr value : new Gpr[] {Gpr.RAX, Gpr.R11}) {
            three(CpuLevel.AVX512, bits, (x, to, a, b) -> {
                x.mov(value, Float.floatToRawIntBits(-2.5f));
                x.vpbroadcastd(to, value);
            }, (to, a, b, i) -> -2.5f);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {128, 256, 512})
    void vectorsWoven(int bits) {
        CpuLevel level = bits == 512 ? CpuLevel.AVX512 : CpuLevel.AVX2;
        three(level, bits, Assembler::vunpcklps, (to, a, b, i) -> (i % 2 == 0 ? a : b)[i & ~3 | i % 4 / 2]);
        three(level, bits, Assembler::vunpckhps, (to, a, b, i) -> (i % 2 == 0 ? a : b)[i & ~3 | 2 + i % 4 / 2]);
        three(level, bits, Assembler::vunpcklpd, (to, a, b, i) -> (i % 4 < 2 ? a : b)[i & ~3 | i % 2]);
        three(level, bits, Assembler::vunpckhpd, (to, a, b, i) -> (i % 4 < 2 ? a : b)[i & ~3 | 2 + i % 2]);
        for (int parts : bits == 128 ? new int[0] : new int[] {0x88, 0xdd, 0x1b, 0x02}) {
            int width = bits / 256;
            three(CpuLevel.AVX512, bits, (x, to, a, b) -> x.vshuff32x4(to, a, b, parts), (to, a, b, i) ->
                    (2 * i < bits / 32 ? a : b)[(parts >> i / 4 * width & (1 << width) - 1) * 4 + i % 4]);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {128, 256, 512})
    void pairsOfBfloat16(int bits) {
        CpuLevel level = CpuLevel.AVX512BF16;
        // Small whole numbers, for which every order of sums is exact.
        Lanes dot = (to, a, b, i) -> to[i] + high(a[i]) * high(b[i]) + low(a[i]) * low(b[i]);
        three(level, bits, Assembler::vdpbf16ps, dot);
        Lanes rounded = (to, a, b, i) -> {
            float[] from = 2 * i < bits / 32 ? b : a;
            int lane = 2 * i % (bits / 32);
            return Float.intBitsToFloat(bf16(from[lane]) | bf16(from[lane + 1]) << 16);
        };
        three(level, bits, (x, to, a, b) -> x.vcvtne2ps2bf16(to, a, Mem.at(MachineFunction.B)), rounded);
    }

    @Test
    void halvesAreChosenByIndex() {
        short[] index = new short[32];
        short[] from = new short[32];
        short[] to = new short[32];
        for (int i = 0; i < 32; i++) {
            index[i] = (short) (31 - 5 * i & 31);
            from[i] = (short) (1000 + i);
        }
        for (int[] registers : new int[][] {{0, 1, 2}, {31, 16, 8}, {9, 30, 17}}) {
            try (BothWays function = new BothWays(CpuLevel.AVX512, x -> {
                x.vmovups(Vec.zmm(registers[1]), Mem.at(MachineFunction.A));
                x.vmovups(Vec.zmm(registers[2]), Mem.at(MachineFunction.B));
                x.vpermw(Vec.zmm(registers[0]), Vec.zmm(registers[1]), Vec.zmm(registers[2]));
                x.vmovups(Mem.at(MachineFunction.C), Vec.zmm(registers[0]));
                x.vzeroupper();
                x.ret();
            })) {
                function.call(MemorySegment.ofArray(index), 0, MemorySegment.ofArray(from), 0,
                        MemorySegment.ofArray(to), 0, 0, 0, 0);
            }
            for (int i = 0; i < 32; i++) {
                assertThat(to[i]).isEqualTo(from[index[i]]);
            }
        }
    }

    /** Of halves 0 to 2 n - 1 of the one and as many of the other. */
    @ParameterizedTest
    @ValueSource(ints = {128, 256, 512})
    void halvesOfTwoAreChosenByIndex(int bits) {
        int n = bits / 16;
        short[] index = new short[n];
        short[] first = new short[n];
        short[] second = new short[n];
        for (int i = 0; i < n; i++) {
            index[i] = (short) (2 * n - 1 - 5 * i);
            first[i] = (short) (1000 + i);
            second[i] = (short) (2000 + i);
        }
        for (int[] registers : new int[][] {{0, 1}, {31, 16}, {9, 30}, {17, 8}}) {
            short[] to = first.clone();
            Vec result = new Vec(registers[0], bits);
            Vec order = new Vec(registers[1], bits);
            try (BothWays function = new BothWays(CpuLevel.AVX512, x -> {
                x.vmovups(result, Mem.at(MachineFunction.C));
                x.vmovups(order, Mem.at(MachineFunction.A));
                x.vpermt2w(result, order, Mem.at(MachineFunction.B));
                x.vmovups(Mem.at(MachineFunction.C), result);
                x.vzeroupper();
                x.ret();
            })) {
                function.call(MemorySegment.ofArray(index), 0, MemorySegment.ofArray(second), 0,
                        MemorySegment.ofArray(to), 0, 0, 0, 0);
            }
            for (int i = 0; i < n; i++) {
                int lane = index[i] & 2 * n - 1;
                assertThat(to[i]).isEqualTo(lane < n ? first[lane] : second[lane - n]);
            }
        }
    }

    private static float high(float pair) {
        return Float.intBitsToFloat(Float.floatToRawIntBits(pair) & 0xffff0000);
    }

    private static float low(float pair) {
        return Float.intBitsToFloat(Float.floatToRawIntBits(pair) << 16);
    }

    /** To nearest even, of a number that is not NaN. */
    private static int bf16(float value) {
        int bits = Float.floatToRawIntBits(value);
        return bits + 0x7fff + (bits >> 16 & 1) >>> 16;
    }

    /** Runs a form with registers of every kind. A lies {@link #ODD} bytes on: no address need be a multiple. */
    private static void three(CpuLevel least, int bits, Form form, Lanes lanes) {
        int[][] choices = {{0, 1, 2}, {15, 8, 7}, {9, 14, 11}, {16, 24, 31}, {31, 1, 16}, {8, 17, 5}};
        int n = bits / 32;
        for (int[] numbers : choices) {
            boolean wide = Arrays.stream(numbers).max().getAsInt() > 15;
            CpuLevel level = wide && least == CpuLevel.AVX2 ? CpuLevel.AVX512 : least;
            Vec to = new Vec(numbers[0], bits);
            Vec a = new Vec(numbers[1], bits);
            Vec b = new Vec(numbers[2], bits);
            float[] as = pairs(n, 3);
            float[] bs = pairs(n, 5);
            float[] cs = new float[n];
            for (int i = 0; i < n; i++) {
                cs[i] = 100 + i;
            }
            float[] before = cs.clone();
            byte[] shifted = new byte[4 * n + ODD];
            MemorySegment.copy(MemorySegment.ofArray(as), 0, MemorySegment.ofArray(shifted), ODD, 4L * n);
            try (BothWays function = new BothWays(level, x -> {
                x.vmovups(to, Mem.at(MachineFunction.C));
                x.vmovups(a, Mem.at(MachineFunction.A, ODD));
                x.vmovups(b, Mem.at(MachineFunction.B));
                form.write(x, to, a, b);
                x.vmovups(Mem.at(MachineFunction.C), to);
                x.vzeroupper();
                x.ret();
            })) {
                function.call(MemorySegment.ofArray(shifted), 0, MemorySegment.ofArray(bs), 0,
                        MemorySegment.ofArray(cs), 0, 0, 0, 0);
            }
            for (int i = 0; i < n; i++) {
                assertThat(Float.floatToRawIntBits(cs[i])).as("%s %s %s, lane %s", to, a, b, i)
                        .isEqualTo(Float.floatToRawIntBits(lanes.of(before, as, bs, i)));
            }
        }
    }

    /** Words that are two small whole numbers in bfloat16, and as float32 numbers of their own. */
    private static float[] pairs(int n, int factor) {
        float[] words = new float[n];
        for (int i = 0; i < n; i++) {
            int low = Float.floatToRawIntBits(factor * i % 11 - 4) >>> 16;
            int high = Float.floatToRawIntBits(factor * i % 7 + 1);
            words[i] = Float.intBitsToFloat(high | low);
        }
        return words;
    }
}
