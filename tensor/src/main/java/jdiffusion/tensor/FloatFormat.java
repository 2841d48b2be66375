package jdiffusion.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Conversions between float32 and the narrower floating-point types, exact for every bit pattern; narrowing rounds
 * to nearest, ties to even.
 *
 * <p>F8_E4M3 is the "fn" variant of Micikevicius et al., "FP8 Formats for Deep Learning" (2022), table 1: no
 * infinities, S.1111.111 is NaN, largest value 448. F8_E5M2 follows IEEE 754 conventions. What is past the largest
 * value after rounding becomes infinity, and NaN in E4M3, as in ml_dtypes, so that an overflow is seen. PyTorch did
 * the same at first; 2.13 gives 448.
 */
public final class FloatFormat {
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int MANTISSA_BITS = 23;
    private static final int FLOAT_BIAS = 127;
    private static final float[] E4M3 = table(4, 3);
    private static final float[] E5M2 = table(5, 2);

    private FloatFormat() {
    }

    public static float bf16ToFloat(short bits) {
        return Float.intBitsToFloat(bits << 16);
    }

    public static short floatToBf16(float value) {
        int bits = Float.floatToRawIntBits(value);
        if (value != value) {
            return (short) (bits >>> 16 | 0x40);
        }
        return (short) (bits + 0x7fff + (bits >>> 16 & 1) >>> 16);
    }

    public static float f16ToFloat(short bits) {
        return Float.float16ToFloat(bits);
    }

    public static short floatToF16(float value) {
        return Float.floatToFloat16(value);
    }

    public static float e4m3ToFloat(byte bits) {
        return E4M3[bits & 0xff];
    }

    public static float e5m2ToFloat(byte bits) {
        return E5M2[bits & 0xff];
    }

    public static byte floatToE4m3(float value) {
        return narrow(value, 4, 3, 0x7f, 0x7f);
    }

    public static byte floatToE5m2(float value) {
        return narrow(value, 5, 2, 0x7c, 0x7f);
    }

    /** Element {@code index} of {@code data}, widened to float32. */
    static float widen(MemorySegment data, DType type, long index) {
        return switch (type) {
            case F32 -> data.get(FLOAT, index * 4);
            case F16 -> f16ToFloat(data.get(SHORT, index * 2));
            case BF16 -> bf16ToFloat(data.get(SHORT, index * 2));
            case F8_E4M3 -> e4m3ToFloat(data.get(ValueLayout.JAVA_BYTE, index));
            case F8_E5M2 -> e5m2ToFloat(data.get(ValueLayout.JAVA_BYTE, index));
            case I16 -> data.get(SHORT, index * 2);
            case I8 -> data.get(ValueLayout.JAVA_BYTE, index);
            case U8, BOOL -> data.get(ValueLayout.JAVA_BYTE, index) & 0xff;
            case F64, I64, I32, U64, U32, U16 ->
                    throw new IllegalArgumentException(type + " does not widen to float32");
        };
    }

    private static float[] table(int exponentBits, int mantissaBits) {
        float[] table = new float[256];
        int bias = (1 << exponentBits - 1) - 1;
        int topExponent = (1 << exponentBits) - 1;
        for (int b = 0; b < 256; b++) {
            int exponent = b >> mantissaBits & topExponent;
            int mantissa = b & (1 << mantissaBits) - 1;
            float magnitude;
            if (exponentBits == 5 && exponent == topExponent) {
                magnitude = mantissa == 0 ? Float.POSITIVE_INFINITY : Float.NaN;
            } else if (exponentBits == 4 && (b & 0x7f) == 0x7f) {
                magnitude = Float.NaN;
            } else if (exponent == 0) {
                magnitude = Math.scalb((float) mantissa, 1 - bias - mantissaBits);
            } else {
                magnitude = Math.scalb((float) (mantissa | 1 << mantissaBits), exponent - bias - mantissaBits);
            }
            table[b] = b > 127 ? -magnitude : magnitude;
        }
        return table;
    }

    private static byte narrow(float value, int exponentBits, int mantissaBits, int overflow, int nan) {
        int sign = Float.floatToRawIntBits(value) >>> 24 & 0x80;
        if (value != value) {
            return (byte) (sign | nan);
        }
        float magnitude = Math.abs(value);
        int minExponent = 2 - (1 << exponentBits - 1);
        int exponent = Math.max(Math.getExponent(magnitude), minExponent);
        if (exponent > 1 << exponentBits) {
            return (byte) (sign | overflow);
        }
        if (exponent > minExponent) {
            // A normal number rounds in its own bits: up from just over half of the last place kept, from half if odd.
            int dropped = MANTISSA_BITS - mantissaBits;
            int bits = Float.floatToRawIntBits(magnitude);
            int rounded = bits + (1 << dropped - 1) - 1 + (bits >>> dropped & 1) >>> dropped;
            return (byte) (sign | Math.min(rounded - (minExponent + FLOAT_BIAS - 1 << mantissaBits), overflow));
        }
        // In units of the last mantissa bit the magnitude is exact in double, and rint ties to even.
        long units = (long) Math.rint(Math.scalb((double) magnitude, mantissaBits - exponent));
        // A round-up past the mantissa carries into the exponent field by itself.
        long code = units + ((long) (exponent - minExponent) << mantissaBits);
        return (byte) (sign | (int) Math.min(code, overflow));
    }
}
