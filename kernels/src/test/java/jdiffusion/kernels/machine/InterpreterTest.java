package jdiffusion.kernels.machine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The interpreter against this CPU on random numbers of all kinds, on AMX's rules, and on what it must refuse. */
class InterpreterTest {
    private static final int ROUNDS = 200;

    private final SplittableRandom random = new SplittableRandom(11);

    /** An instruction on three vectors, the last of them also at B. */
    private interface Form {
        void write(Assembler x, Vec to, Vec a, Vec b);
    }

    /** Zeros, subnormal numbers, numbers about 1, of all sizes, halfway cases of bfloat16, infinities; no NaN. */
    private int number() {
        int bits = random.nextInt();
        return switch (random.nextInt(12)) {
            case 0 -> bits & 0x80000000;
            case 1 -> bits & 0x807fffff;
            case 2 -> random.nextInt(8) == 0 ? bits & 0x80000000 | 0x7f800000 : bits & 0x80000001;
            case 3, 4 -> bits & 0xbf7fffff;
            case 5 -> bits & 0xbf7f0000 | 0x8000;
            // Products of about the least numbers there are.
            case 6 -> bits & 0x807fffff | 0x1f800000 + (random.nextInt(4) << 23);
            default -> bits & 0x807fffff | 0x3f000000 + (random.nextInt(3) << 23);
        };
    }

    private int[] numbers(int n) {
        int[] values = new int[n];
        for (int i = 0; i < n; i++) {
            values[i] = number();
        }
        return values;
    }

    private void three(CpuLevel level, int bits, Form form) {
        Vec to = new Vec(1, bits);
        Vec a = new Vec(2, bits);
        Vec b = new Vec(3, bits);
        try (BothWays function = new BothWays(level, x -> {
            x.vmovups(to, Mem.at(MachineFunction.C));
            x.vmovups(a, Mem.at(MachineFunction.A));
            x.vmovups(b, Mem.at(MachineFunction.B));
            form.write(x, to, a, b);
            x.vmovups(Mem.at(MachineFunction.C), to);
            x.vzeroupper();
            x.ret();
        })) {
            int n = bits / 32;
            for (int round = 0; round < ROUNDS; round++) {
                int[] c = numbers(n);
                function.call(segment(numbers(n)), 0, segment(numbers(n)), 0, segment(c), 0, 0, 0, 0);
            }
        }
    }

    private static MemorySegment segment(int[] words) {
        return MemorySegment.ofArray(words);
    }

    /** BothWays compares. */
    @ParameterizedTest
    @ValueSource(ints = {128, 256, 512})
    void arithmeticIsThisCpus(int bits) {
        CpuLevel level = bits == 512 ? CpuLevel.AVX512 : CpuLevel.AVX2;
        Levels.assume(level);
        three(level, bits, Assembler::vaddps);
        three(level, bits, Assembler::vmulps);
        three(level, bits, Assembler::vfmadd231ps);
        three(level, bits, Assembler::vfmadd213ps);
        three(level, bits, Assembler::vsubps);
        three(level, bits, Assembler::vdivps);
        three(level, bits, Assembler::vmaxps);
        three(level, bits, Assembler::vminps);
        three(level, bits, (x, to, a, b) -> x.vmaxps(to, a, Mem.at(MachineFunction.B)));
        three(level, bits, (x, to, a, b) -> x.vaddps(to, a, Mem.at(MachineFunction.B)));
    }

    @ParameterizedTest
    @ValueSource(ints = {128, 256, 512})
    void arithmeticOfAvx512IsThisCpus(int bits) {
        Levels.assume(CpuLevel.AVX512);
        three(CpuLevel.AVX512, bits, Assembler::vpxord);
        three(CpuLevel.AVX512, bits, (x, to, a, b) -> x.vpandd(to, a, Mem.at(MachineFunction.B)));
        three(CpuLevel.AVX512, bits, (x, to, a, b) -> x.vpslld(to, Mem.at(MachineFunction.B), 16));
        three(CpuLevel.AVX512, bits, (x, to, a, b) -> x.vpermt2w(to, a, Mem.at(MachineFunction.B)));
        three(CpuLevel.AVX512, bits, (x, to, a, b) -> x.vrndscalepsDown(to, a));
        three(CpuLevel.AVX512, bits, (x, to, a, b) -> x.vreducepsDown(to, a));
        three(CpuLevel.AVX512, bits, (x, to, a, b) -> {
            x.mov(Gpr.R10, Float.floatToRawIntBits(-150.75f));
            x.vpbroadcastd(b, Gpr.R10);
            x.vmaxps(to, a, b);
            x.mov(Gpr.R10, Float.floatToRawIntBits(150.75f));
            x.vpbroadcastd(b, Gpr.R10);
            x.vsubps(a, b, to);
            x.vmaxps(to, a, b);
            x.vsubps(to, b, to);
            // Now finite, and at most about 150.
            x.vrndscalepsDown(a, to);
            x.vscalefps(to, a, to);
            x.vaddps(to, to, a);
        });
        three(CpuLevel.AVX512, bits, (x, to, a, b) -> {
            x.vmulps(a, a, a);
            x.vsqrtps(to, a);
            x.vmovaps(a, to);
        });
    }

    @ParameterizedTest
    @ValueSource(ints = {128, 256, 512})
    void pairsAreThisCpus(int bits) {
        Levels.assume(CpuLevel.AVX512BF16);
        three(CpuLevel.AVX512BF16, bits, Assembler::vdpbf16ps);
        three(CpuLevel.AVX512BF16, bits, (x, to, a, b) -> x.vcvtne2ps2bf16(to, a, Mem.at(MachineFunction.B)));
    }

    @Test
    void sumsAndDistancesAreThisCpus() {
        for (int round = 0; round < ROUNDS; round++) {
            int a = random.nextInt();
            int b = random.nextInt(-3, 4);
            int scale = 1 << random.nextInt(4);
            try (BothWays function = new BothWays(CpuLevel.VECTOR, x -> {
                Label skip = new Label();
                x.mov(Gpr.RAX, MachineFunction.N);
                x.mov(Gpr.R11, a);
                x.lea(Gpr.R10, Mem.at(Gpr.R11, Gpr.RAX, scale).plus(b));
                x.add(Gpr.R10, Gpr.R11);
                x.sub(Gpr.RAX, b);
                x.jne(skip);
                x.add(Gpr.R10, a);
                x.bind(skip);
                x.movd(Mem.at(MachineFunction.C), Gpr.R10);
                x.movd(Mem.at(MachineFunction.C, 4), Gpr.RAX);
                x.ret();
            })) {
                int[] c = new int[2];
                function.call(MemorySegment.NULL, 0, MemorySegment.NULL, 0, segment(c), 0, b, 0, 0);
                function.call(MemorySegment.NULL, 0, MemorySegment.NULL, 0, segment(c), 0, random.nextLong(), 0, 0);
                assertThat(c).isNotEqualTo(new int[2]);
            }
        }
    }

    private static void run(byte[] code, MemorySegment a) {
        new Interpreter(code).call(a, 0, MemorySegment.NULL, 0, MemorySegment.NULL, 0, 0, 0, 0);
    }

    private static void refuse(String message, MemorySegment a, Consumer<Assembler> body) {
        Assembler x = new Assembler();
        body.accept(x);
        assertThatThrownBy(() -> run(x.code(), a)).isInstanceOf(MachineFault.class).hasMessageContaining(message);
    }

    @Test
    void accessesOutsideAreFaults() {
        MemorySegment a = MemorySegment.ofArray(new int[16]);
        run(bytes(0xc3), a);
        refuse("in no segment", a, x -> x.vmovups(Vec.zmm(0), Mem.at(MachineFunction.A, 4)));
        refuse("in no segment", a, x -> x.vmovups(Mem.at(MachineFunction.A, -4), Vec.xmm(0)));
        refuse("in no segment", a, x -> x.mov(Gpr.RAX, Mem.at(MachineFunction.B)));
        refuse("in no segment", a, x -> x.movd(Mem.at(MachineFunction.A, 61), Gpr.RAX));
        refuse("in no segment", a, x -> x.vbroadcastss(Vec.zmm(0), Mem.at(MachineFunction.A, 64)));
        refuse("was not kept", a, x -> {
            x.mov(Gpr.R12, 1);
            x.ret();
        });
        refuse("was left", a, x -> x.mov(Gpr.R12, 1));
        refuse("elsewhere", a, x -> {
            x.push(Gpr.RAX);
            x.ret();
        });
    }

    private static byte[] bytes(int... values) {
        byte[] code = new byte[values.length];
        for (int i = 0; i < values.length; i++) {
            code[i] = (byte) values[i];
        }
        return code;
    }

    @Test
    void whatIsNeverWrittenIsAFault() {
        for (int[] code : new int[][] {{0x90}, {0x0f, 0x84, 0, 0, 0, 0}, {0x48, 0x03, 0xc0},
            {0x48, 0x81, 0xf8, 0, 0, 0, 0},
            // vfmadd231pd; vmovups with a mask; vdpbf16ps as if it had VEX; tdpbf16ps with W 1; vzeroall
            {0xc4, 0xe2, 0xf1, 0xb8, 0xc2}, {0x62, 0xf1, 0x7c, 0x49, 0x10, 0x07}, {0xc4, 0xe2, 0x72, 0x52, 0xc2},
            {0xc4, 0xe2, 0xc2, 0x5c, 0xcc}, {0xc5, 0xfc, 0x77}, {0x48, 0x8b}}) {
            assertThatThrownBy(() -> run(bytes(code), MemorySegment.ofArray(new int[16])))
                    .as("%x %x", code[0], code[1 % code.length]).isInstanceOf(MachineFault.class);
        }
    }
}
