package jdiffusion.kernels.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import jdiffusion.kernels.Precision;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Every pattern of the narrow types, against values worked out from the formats' definition in double. */
class WidenTest {
    /** Value of a pattern by the rules of IEEE 754; E4M3 has NaN in one place instead of the top exponent. */
    private static float value(int pattern, int exponentBits, int mantissaBits) {
        int top = (1 << exponentBits) - 1;
        int exponent = pattern >> mantissaBits & top;
        int mantissa = pattern & (1 << mantissaBits) - 1;
        int bias = top >> 1;
        double magnitude;
        if (exponentBits == 4 && exponent == top && mantissa == 7) {
            magnitude = Double.NaN;
        } else if (exponentBits != 4 && exponent == top) {
            magnitude = mantissa == 0 ? Double.POSITIVE_INFINITY : Double.NaN;
        } else if (exponent == 0) {
            magnitude = mantissa * Math.pow(2, 1 - bias - mantissaBits);
        } else {
            magnitude = (1 + mantissa * Math.pow(2, -mantissaBits)) * Math.pow(2, exponent - bias);
        }
        boolean negative = (pattern >> exponentBits + mantissaBits & 1) != 0;
        return (float) (negative ? -magnitude : magnitude);
    }

    /** Offsets that are no multiple of anything move every pattern through vector body and scalar rest. */
    @ParameterizedTest
    @CsvSource({"BF16, 8, 7, 0", "BF16, 8, 7, 5", "F16, 5, 10, 0", "F16, 5, 10, 5", "F8_E4M3, 4, 3, 0",
        "F8_E5M2, 5, 2, 3"})
    void everyPatternWidensExactly(DType type, int exponentBits, int mantissaBits, int skip) {
        int n = 1 << 8 * type.bytes();
        MemorySegment memory = Arena.ofAuto().allocate((long) (n + skip) * type.bytes() + 1);
        long start = (long) skip * type.bytes() + 1;
        for (int i = 0; i < n; i++) {
            if (type.bytes() == 1) {
                memory.set(ValueLayout.JAVA_BYTE, start + i, (byte) i);
            } else {
                memory.set(ValueLayout.JAVA_SHORT_UNALIGNED, start + 2L * i, (short) i);
            }
        }
        float[] to = new float[n + 9];
        Widen.run(memory, type, start, to, 4, n);
        Widen.run(memory, type, start + (long) (n - 3) * type.bytes(), to, n + 4, 3);
        for (int i = 0; i < n; i++) {
            assertSame(to[4 + i], value(i, exponentBits, mantissaBits), i);
        }
        for (int i = n - 3; i < n; i++) {
            assertSame(to[7 + i], value(i, exponentBits, mantissaBits), i);
        }
        assertThat(to[3]).isZero();
        assertThat(to[n + 7]).isZero();
    }

    @Test
    void float32IsCopiedBitByBit() {
        int[] bits = {0, 1, 0x80000000, 0x7f800000, 0xff800000, 0x7fc12345, 0x3f800000};
        float[] to = new float[8];
        Widen.run(MemorySegment.ofArray(bits), DType.F32, 4, to, 1, 6);
        for (int i = 1; i < 7; i++) {
            assertThat(Float.floatToRawIntBits(to[i])).isEqualTo(bits[i]);
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"F64", "I64", "I32", "I16", "I8", "U8", "BOOL"})
    void otherTypesAreRefused(DType type) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Widen.run(MemorySegment.ofArray(new byte[8]), type, 0, new float[1], 0, 1))
                .withMessageContaining(type.name());
    }

    @Test
    void aVectorIsWidenedWhole() {
        Tensor vector = Tensor.of(MemorySegment.ofArray(new short[] {0x3f80, 0x4000, 0x4040}), DType.BF16,
                Shape.of(3));
        float[] to = new float[4];
        Widen.vector(vector, to);
        assertThat(to).containsExactly(1, 2, 3, 0);
    }

    /**
     * Around every bfloat16 value: itself, just above, just under and on the tie to the next, and just under the next.
     * The nearest of the two neighbours by distance in double is right, the even one on a tie.
     */
    @Test
    void roundingIsToNearestEven() {
        int[] low = {0, 1, 0x7fff, 0x8000, 0x8001, 0xffff};
        float[] values = new float[65536 * low.length];
        for (int i = 0; i < values.length; i++) {
            values[i] = Float.intBitsToFloat(i / low.length << 16 | low[i % low.length]);
        }
        float[] rounded = values.clone();
        Widen.round(Precision.BF16, rounded, 0, rounded.length);
        for (int i = 0; i < values.length; i++) {
            assertSame(rounded[i], nearest(values[i]), i);
        }
    }

    @Test
    void roundingTouchesTheRunOnlyAndNotAtAllInFloat32() {
        for (int n = 0; n < 40; n++) {
            float[] values = new float[n + 4];
            Arrays.fill(values, 1.0000001f);
            float[] rounded = values.clone();
            Widen.round(Precision.F32, rounded, 2, n);
            assertThat(rounded).isEqualTo(values);
            Widen.round(Precision.BF16, rounded, 2, n);
            for (int i = 0; i < rounded.length; i++) {
                assertThat(rounded[i]).isEqualTo(i >= 2 && i < n + 2 ? 1 : 1.0000001f);
            }
        }
    }

    private static float nearest(float value) {
        if (Float.isNaN(value) || Float.isInfinite(value)) {
            return value;
        }
        int below = Float.floatToRawIntBits(value) >>> 16;
        double down = value(below, 8, 7);
        double up = value(below + 1, 8, 7);
        // Past the largest finite value the next one would be 2^128, were there one more exponent.
        double next = Double.isInfinite(up) ? Math.copySign(0x1p128, up) : up;
        double toDown = Math.abs(value - down);
        double toUp = Math.abs(next - value);
        boolean takeDown = toDown < toUp || toDown == toUp && (below & 1) == 0;
        return (float) (takeDown ? down : up);
    }

    private static void assertSame(float actual, float expected, int index) {
        if (Float.floatToIntBits(actual) != Float.floatToIntBits(expected)) {
            assertThat(actual).as("pattern %x", index).isEqualTo(expected);
        }
    }
}
