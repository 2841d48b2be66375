package jdiffusion.emulator.exec;

import java.util.List;
import jdiffusion.emulator.ptx.Instruction;

/**
 * Floats of 8 bits, {@code e4m3} (no infinities, largest 448) and {@code e5m2} (as IEEE 754 has it): Micikevicius et
 * al., "FP8 Formats for Deep Learning" (2022). PTX converts them in pairs, the second operand in the low byte.
 */
final class Float8 {
    static final String E5M2 = "e5m2";
    private static final String E4M3 = "e4m3";
    private static final int E4M3_LARGEST = 0x7e;
    private static final int E5M2_LARGEST = 0x7b;
    private static final float[] E4M3_VALUES = new float[256];
    private static final float[] E5M2_VALUES = new float[256];

    static {
        for (int bits = 0; bits < 256; bits++) {
            // The mantissa's first bits are float16's, whose exponent has a bias 8 higher than that of e4m3.
            short half = (short) ((bits & 0x80) << 8 | (bits & 0x7f) << 7);
            E4M3_VALUES[bits] = (bits & 0x7f) == 0x7f ? Float.NaN : Float.float16ToFloat(half) * 256;
            E5M2_VALUES[bits] = Float.float16ToFloat((short) (bits << 8));
        }
    }

    private Float8() {}

    static boolean isType(String modifier) {
        return modifier.equals(E4M3) || modifier.equals(E5M2);
    }

    /** Whether {@code cvt} converts to or from pairs. */
    static boolean isConversion(Instruction instruction) {
        return instruction.has(E4M3 + "x2") || instruction.has(E5M2 + "x2");
    }

    /** Whether the pairs are the result; the first modifier that names a type is. */
    static boolean isResult(Instruction instruction) {
        List<String> modifiers = instruction.modifiers();
        int at = Math.max(modifiers.indexOf(E4M3 + "x2"), modifiers.indexOf(E5M2 + "x2"));
        return at < modifiers.size() - 1;
    }

    static boolean isE5m2(Instruction instruction) {
        return instruction.has(E5M2 + "x2");
    }

    /** By their bits. */
    static float[] values(boolean e5m2) {
        return e5m2 ? E5M2_VALUES : E4M3_VALUES;
    }

    /** To nearest, ties to even; what is too large becomes the largest number, NaN 0x7f. */
    static int narrow(float value, int e5m2) {
        if (value != value) {
            return 0x7f;
        }
        int bits = e5m2 != 0 ? Conversions.half(value, Rounding.RN, 2, -14, E5M2_LARGEST, E5M2_LARGEST)
                : Conversions.half(value, Rounding.RN, 3, -6, E4M3_LARGEST, E4M3_LARGEST);
        return bits & 0x7f | bits >> 8 & 0x80;
    }

    static int pack(float high, float low, int e5m2) {
        return narrow(high, e5m2) << 8 | narrow(low, e5m2);
    }

    /** Of two float16. */
    static int packHalves(int pair, int e5m2) {
        return pack(Float.float16ToFloat((short) (pair >>> 16)), Float.float16ToFloat((short) pair), e5m2);
    }

    /** Two float16, which hold them all. */
    static int halves(int pair, int e5m2) {
        float[] values = values(e5m2 != 0);
        return Conversions.packF16(values[pair >> 8 & 0xff], values[pair & 0xff], Rounding.RN);
    }

    /** Two float16 without their signs' negative numbers: those become 0. */
    static int reluHalves(int pair, int e5m2) {
        float[] values = values(e5m2 != 0);
        return Conversions.packF16(Conversions.relu(values[pair >> 8 & 0xff]), Conversions.relu(values[pair & 0xff]),
                Rounding.RN);
    }
}
