package jdiffusion.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Every bit pattern, and every place where narrowing changes its answer, for every narrow type. */
class FloatFormatTest {
    private interface Widen {
        float apply(int bits);
    }

    private interface Narrow {
        int apply(float value);
    }

    /**
     * @param largest  bits of the largest finite value
     * @param overflow bits that stand for what is too large
     */
    private record Format(String name, int exponentBits, int mantissaBits, int largest, int overflow, Widen widen,
                          Narrow narrow) {
        int signBit() {
            return 1 << exponentBits + mantissaBits;
        }

        int bias() {
            return (1 << exponentBits - 1) - 1;
        }

        /** The value by the definition of the format, in double, where powers of two are exact. */
        double value(int bits) {
            int magnitude = bits & signBit() - 1;
            int exponent = magnitude >> mantissaBits;
            double fraction = (magnitude & (1 << mantissaBits) - 1) / Math.pow(2, mantissaBits);
            double value;
            if (magnitude > largest) {
                value = magnitude == overflow && !name.equals("E4M3") ? Double.POSITIVE_INFINITY : Double.NaN;
            } else if (exponent == 0) {
                value = fraction * Math.pow(2, 1 - bias());
            } else {
                value = (1 + fraction) * Math.pow(2, exponent - bias());
            }
            return (bits & signBit()) != 0 ? -value : value;
        }

        @Override
        public String toString() {
            return name;
        }
    }

    static Stream<Format> formats() {
        return Stream.of(
                new Format("F16", 5, 10, 0x7bff, 0x7c00, b -> FloatFormat.f16ToFloat((short) b),
                        v -> FloatFormat.floatToF16(v) & 0xffff),
                new Format("BF16", 8, 7, 0x7f7f, 0x7f80, b -> FloatFormat.bf16ToFloat((short) b),
                        v -> FloatFormat.floatToBf16(v) & 0xffff),
                new Format("E4M3", 4, 3, 0x7e, 0x7f, b -> FloatFormat.e4m3ToFloat((byte) b),
                        v -> FloatFormat.floatToE4m3(v) & 0xff),
                new Format("E5M2", 5, 2, 0x7b, 0x7c, b -> FloatFormat.e5m2ToFloat((byte) b),
                        v -> FloatFormat.floatToE5m2(v) & 0xff));
    }

    @ParameterizedTest
    @MethodSource("formats")
    void widensEveryBitPatternByTheDefinition(Format format) {
        for (int bits = 0; bits < 2 * format.signBit(); bits++) {
            float expected = (float) format.value(bits);
            float actual = format.widen.apply(bits);
            if (Float.floatToIntBits(actual) != Float.floatToIntBits(expected)) {
                assertThat(actual).as("%s 0x%x", format, bits).isEqualTo(expected);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("formats")
    void narrowsEveryOwnValueToItself(Format format) {
        for (int bits = 0; bits < 2 * format.signBit(); bits++) {
            if (!Double.isNaN(format.value(bits))) {
                check(format, (float) format.value(bits), bits);
            }
        }
    }

    /** Rounding is monotonic, so the two floats around a midpoint speak for all others between two values. */
    @ParameterizedTest
    @MethodSource("formats")
    void narrowsAroundEveryMidpointToTheNearestAndTiesToEven(Format format) {
        for (int bits = 0; bits < format.largest; bits++) {
            double exact = (format.value(bits) + format.value(bits + 1)) / 2;
            float middle = (float) exact;
            assertThat((double) middle).isEqualTo(exact);
            bothSigns(format, Math.nextDown(middle), bits);
            bothSigns(format, middle, bits + (bits & 1));
            bothSigns(format, Math.nextUp(middle), bits + 1);
        }
    }

    @ParameterizedTest
    @MethodSource("formats")
    void narrowsBeyondTheLargestValue(Format format) {
        // Half a step above the largest value, the step being that of its own exponent.
        double largest = format.value(format.largest);
        float middle = (float) (largest + (largest - format.value(format.largest - 1)) / 2);
        bothSigns(format, Math.nextDown(middle), format.largest);
        bothSigns(format, middle, (format.largest & 1) == 0 ? format.largest : format.overflow);
        bothSigns(format, Math.nextUp(middle), format.overflow);
        for (float v = middle; v < Float.MAX_VALUE / 2; v *= 2) {
            bothSigns(format, v * 1.5f, format.overflow);
        }
        bothSigns(format, Float.MAX_VALUE, format.overflow);
        bothSigns(format, Float.POSITIVE_INFINITY, format.overflow);
    }

    @ParameterizedTest
    @MethodSource("formats")
    void narrowsTheSmallestFloatsToSignedZeroAndNanToNan(Format format) {
        bothSigns(format, 0f, 0);
        bothSigns(format, Float.MIN_VALUE, 0);
        bothSigns(format, Float.MIN_NORMAL / 256, 0);
        for (int nan : new int[] {0x7f800001, 0x7fc00000, 0x7fffffff, 0xff800001, 0xffffffff}) {
            assertThat(format.widen.apply(format.narrow.apply(Float.intBitsToFloat(nan))))
                    .as("%s 0x%x", format, nan).isNaN();
        }
    }

    @ParameterizedTest
    @MethodSource("formats")
    void narrowsRandomFloatsToTheNearestValueFoundBySearch(Format format) {
        Random random = new Random(42);
        for (int i = 0; i < 100_000; i++) {
            float value = Float.intBitsToFloat(random.nextInt());
            if (Math.abs(value) <= format.value(format.largest)) {
                int sign = value < 0 ? format.signBit() : 0;
                check(format, value, sign | nearest(format, Math.abs((double) value)));
            }
        }
    }

    private static int nearest(Format format, double magnitude) {
        int below = 0;
        int above = format.largest;
        while (above - below > 1) {
            int middle = (below + above) / 2;
            if (format.value(middle) <= magnitude) {
                below = middle;
            } else {
                above = middle;
            }
        }
        double down = magnitude - format.value(below);
        double up = format.value(above) - magnitude;
        return down < up || (down == up && (below & 1) == 0) ? below : above;
    }

    @ParameterizedTest
    @MethodSource("wellKnown")
    void wellKnownValues(String name, float value, int bits) {
        Format format = formats().filter(f -> f.name.equals(name)).findFirst().orElseThrow();
        check(format, value, bits);
    }

    /** As PyTorch 2.13 has them, but for the overflow of E4M3, where ml_dtypes 0.5.4 is followed. */
    static Stream<Arguments> wellKnown() {
        return Stream.of(
                Arguments.of("E4M3", 448f, 0x7e),
                Arguments.of("E4M3", 464f, 0x7e),
                Arguments.of("E4M3", 465f, 0x7f),
                Arguments.of("E4M3", -0f, 0x80),
                Arguments.of("E5M2", 448f, 0x5f),
                Arguments.of("E5M2", 61439.99f, 0x7b),
                Arguments.of("E5M2", 61440f, 0x7c),
                Arguments.of("F16", 65519.996f, 0x7bff),
                Arguments.of("F16", 65520f, 0x7c00),
                Arguments.of("BF16", 1.00390625f, 0x3f80),
                Arguments.of("BF16", -1.01171875f, 0xbf82));
    }

    private static void bothSigns(Format format, float value, int bits) {
        check(format, value, bits);
        check(format, -value, bits | format.signBit());
    }

    private static void check(Format format, float value, int bits) {
        int actual = format.narrow.apply(value);
        if (actual != bits) {
            assertThat(actual).as("%s of %s (0x%x)", format, value, Float.floatToRawIntBits(value)).isEqualTo(bits);
        }
    }
}
