package jdiffusion.kernels.machine;

import java.util.Arrays;

/** The vector registers, and what the instructions of {@link Assembler} do to them, lane by lane. */
final class InterpretedVectors {
    private static final int WORDS = 16;
    private static final int VFMADD231PS = 0x21b8;
    private static final int VADDPS = 0x1058;
    private static final int VMULPS = 0x1059;
    private static final int VDPBF16PS = 0x2252;
    private static final int VCVTNE2PS2BF16 = 0x2372;
    private static final int VPERMW = 0x218d;
    private static final int VUNPCKLPS = 0x1014;
    private static final int VUNPCKHPS = 0x1015;
    private static final int VUNPCKLPD = 0x1114;
    private static final int VUNPCKHPD = 0x1115;
    private static final int VSHUFF32X4 = 0x3123;
    private static final int VMOVAPS = 0x1028;
    private static final int VSQRTPS = 0x1051;
    private static final int VSUBPS = 0x105c;
    private static final int VDIVPS = 0x105e;
    private static final int VMAXPS = 0x105f;
    private static final int VMINPS = 0x105d;
    /** A group of instructions, of which only the shift of words to the left is known. */
    static final int VPSLLD = 0x1172;
    private static final int LEFT = 6;
    private static final int VPERMT2W = 0x217d;
    private static final int VPANDD = 0x11db;
    private static final int VPXORD = 0x11ef;
    private static final int VFMADD213PS = 0x21a8;
    private static final int VSCALEFPS = 0x212c;
    private static final int VRNDSCALEPS = 0x3108;
    private static final int VREDUCEPS = 0x3156;
    private static final int DOWN = 9;

    private final int[][] registers = new int[32][WORDS];
    private final int[] result = new int[WORDS];
    private long flops;

    /** Multiplications and additions of all multiply-adds so far, of pairs of bfloat16 too. */
    long flops() {
        return flops;
    }

    int[] register(int number) {
        return registers[number];
    }

    void zeroUpper() {
        for (int r = 0; r < 16; r++) {
            Arrays.fill(registers[r], 4, WORDS, 0);
        }
    }

    /** Whether there is no form of it with VEX. */
    static boolean needsEvex(int code) {
        return switch (code) {
            case VDPBF16PS, VCVTNE2PS2BF16, VPERMW, VPERMT2W, VPSLLD, VPANDD, VSHUFF32X4, VPXORD, VSCALEFPS,
                 VRNDSCALEPS, VREDUCEPS -> true;
            default -> false;
        };
    }

    /** Whether it has no second operand. */
    private static boolean isUnary(int code) {
        return code == VMOVAPS || code == VSQRTPS || code == VRNDSCALEPS
                || code == VREDUCEPS;
    }

    /** What lies beyond becomes 0. */
    void set(int register, int[] words, int count) {
        Arrays.fill(registers[register], 0);
        System.arraycopy(words, 0, registers[register], 0, count);
    }

    /**
     * An instruction that has a destination, a register and a register or memory.
     *
     * @param code  table of opcodes, prefix and opcode as {@link Interpreter} writes them
     * @param wide  the bit W
     * @param b     what the last operand holds
     * @param to    the destination, but for VPSLLD, where it is {@code first} and this the kind of shift
     * @param parts the byte behind the operands, if there is one
     */
    void run(int code, boolean wide, int to, int first, int[] b, int lanes, int parts) {
        int[] a = registers[first];
        int[] old = registers[to];
        if (wide != (code == VPERMW || code == VPERMT2W || code == VUNPCKLPD || code == VUNPCKHPD)) {
            throw new MachineFault("instruction %x with W %s is not known".formatted(code, wide));
        }
        if (isUnary(code) && first != 0) {
            throw new MachineFault("#UD: instruction %x with three operands".formatted(code));
        }
        if (code == VFMADD213PS || code == VFMADD231PS || code == VDPBF16PS) {
            flops += 2L * lanes * (code == VDPBF16PS ? 2 : 1);
        }
        switch (code) {
            case VMOVAPS -> System.arraycopy(b, 0, result, 0, lanes);
            case VSUBPS, VDIVPS, VMAXPS, VMINPS, VSQRTPS, VSCALEFPS -> {
                for (int i = 0; i < lanes; i++) {
                    result[i] = bits(arithmetic(code, real(a[i]), real(b[i])));
                }
            }
            case VRNDSCALEPS, VREDUCEPS -> {
                if (parts != DOWN) {
                    throw new MachineFault("instruction %x with %x is not known".formatted(code, parts));
                }
                for (int i = 0; i < lanes; i++) {
                    float whole = (float) Math.floor(real(b[i]));
                    result[i] = bits(code == VRNDSCALEPS ? whole : fraction(real(b[i]), whole));
                }
            }
            case VPSLLD -> {
                if (to != LEFT || parts >= Integer.SIZE) {
                    throw new MachineFault("shift %d by %d is not known".formatted(to, parts));
                }
                for (int i = 0; i < lanes; i++) {
                    result[i] = b[i] << parts;
                }
            }
            case VPANDD -> {
                for (int i = 0; i < lanes; i++) {
                    result[i] = a[i] & b[i];
                }
            }
            case VPXORD -> {
                for (int i = 0; i < lanes; i++) {
                    result[i] = a[i] ^ b[i];
                }
            }
            case VFMADD213PS -> {
                for (int i = 0; i < lanes; i++) {
                    result[i] = bits(Math.fma(real(a[i]), real(old[i]), real(b[i])));
                }
            }
            case VFMADD231PS -> {
                for (int i = 0; i < lanes; i++) {
                    result[i] = bits(Math.fma(real(a[i]), real(b[i]), real(old[i])));
                }
            }
            case VADDPS -> {
                for (int i = 0; i < lanes; i++) {
                    result[i] = bits(real(a[i]) + real(b[i]));
                }
            }
            case VMULPS -> {
                for (int i = 0; i < lanes; i++) {
                    result[i] = bits(real(a[i]) * real(b[i]));
                }
            }
            case VDPBF16PS -> {
                for (int i = 0; i < lanes; i++) {
                    result[i] = bits(dot(a[i], b[i], Bf16.flushed(real(old[i]))));
                }
            }
            case VCVTNE2PS2BF16 -> {
                for (int i = 0; i < lanes; i++) {
                    int[] from = 2 * i < lanes ? b : a;
                    int lane = 2 * i % lanes;
                    result[i] = Bf16.rounded(real(from[lane])) | Bf16.rounded(real(from[lane + 1])) << 16;
                }
            }
            case VPERMW -> {
                for (int i = 0; i < lanes; i++) {
                    result[i] = half(b, a[i], lanes) | half(b, a[i] >>> 16, lanes) << 16;
                }
            }
            case VPERMT2W -> {
                for (int i = 0; i < lanes; i++) {
                    result[i] = half(old, b, a[i], lanes) | half(old, b, a[i] >>> 16, lanes) << 16;
                }
            }
            case VUNPCKLPS, VUNPCKHPS -> {
                for (int i = 0; i < lanes; i++) {
                    int from = i / 4 * 4 + (code & 1) * 2 + i % 4 / 2;
                    result[i] = i % 2 == 0 ? a[from] : b[from];
                }
            }
            case VUNPCKLPD, VUNPCKHPD -> {
                for (int i = 0; i < lanes; i++) {
                    int from = i / 4 * 4 + (code & 1) * 2 + i % 2;
                    result[i] = i % 4 < 2 ? a[from] : b[from];
                }
            }
            case VSHUFF32X4 -> {
                int width = lanes == WORDS ? 2 : 1;
                for (int i = 0; i < lanes; i++) {
                    int[] from = 2 * i < lanes ? a : b;
                    int part = parts >> i / 4 * width & (1 << width) - 1;
                    result[i] = from[4 * part + i % 4];
                }
            }
            default -> throw new MachineFault("instruction %x is not known".formatted(code));
        }
        set(code == VPSLLD ? first : to, result, lanes);
    }

    /** Rounded down, as the whole number was: of a whole number it is -0. An infinite one has 0. */
    private static float fraction(float value, float whole) {
        if (Float.isInfinite(value)) {
            return 0;
        }
        float nearest = (float) ((double) value - whole);
        return value == whole ? -0f : (double) nearest + whole > value ? Math.nextDown(nearest) : nearest;
    }

    private static float arithmetic(int code, float a, float b) {
        return switch (code) {
            case VSUBPS -> a - b;
            case VDIVPS -> a / b;
            case VMAXPS -> a > b ? a : b;
            case VMINPS -> a < b ? a : b;
            case VSQRTPS -> (float) Math.sqrt(b);
            default -> (float) (a * Math.pow(2, Math.floor(b)));
        };
    }

    /** The upper halves first. */
    private static float dot(int a, int b, float sum) {
        float odd = Bf16.flushed(Math.fma(Bf16.high(a), Bf16.high(b), sum));
        return Bf16.flushed(Math.fma(Bf16.low(a), Bf16.low(b), odd));
    }

    private static int half(int[] from, int index, int lanes) {
        int i = index & 2 * lanes - 1;
        return from[i / 2] >>> i % 2 * 16 & 0xffff;
    }

    /** Of the halves of two vectors one after the other. */
    private static int half(int[] first, int[] second, int index, int lanes) {
        return half((index & 2 * lanes) == 0 ? first : second, index, lanes);
    }

    private static float real(int bits) {
        return Float.intBitsToFloat(bits);
    }

    private static int bits(float value) {
        return Float.floatToRawIntBits(value);
    }
}
