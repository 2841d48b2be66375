package jdiffusion.kernels.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdiffusion.kernels.Samples;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Runs in and out of both types of activations; {@link PlainLoopsTest} compares all roundings. */
class ElementsTest {
    private static final int ROWS = 5;
    private static final int COLS = 21;

    @Test
    void roundsToNearestEven() {
        float[] values = {0, -0f, 1, Float.intBitsToFloat(0x3f808000), Float.intBitsToFloat(0x3f818000),
            Float.intBitsToFloat(0x3f808001), Float.intBitsToFloat(0x3f817fff), Float.MIN_VALUE,
            Float.intBitsToFloat(0x8000), Float.intBitsToFloat(0x18000), Float.intBitsToFloat(0x807f8000),
            Float.MAX_VALUE, -Float.MAX_VALUE, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, Float.NaN,
            Float.intBitsToFloat(0x7f800001), Float.intBitsToFloat(0xffffffff)};
        short[] want = {0, (short) 0x8000, 0x3f80, 0x3f80, 0x3f82, 0x3f81, 0x3f81, 0, 0, 2, (short) 0x8080, 0x7f80,
            (short) 0xff80, 0x7f80, (short) 0xff80, 0x7fc0, 0x7fc0, (short) 0xffff};
        short[] stored = new short[values.length];
        Elements.write(values, 0, Tensor.of(MemorySegment.ofArray(stored), DType.BF16, Shape.of(values.length)), 0,
                values.length);
        assertThat(stored).isEqualTo(want);
    }

    @ParameterizedTest
    @CsvSource({"F32, 0", "F32, 3", "BF16, 0", "BF16, 3"})
    void runsAreCountedAsIfRowsHadNoGaps(DType type, int gap) {
        float[] all = Samples.rounded(type, Samples.normal(1, ROWS * COLS, 0, 1));
        float[] before = Samples.rounded(type, Samples.normal(2, ROWS * COLS, 0, 1));
        for (int first = 0; first < all.length; first += 4) {
            for (int n = 0; first + n <= all.length; n += 9) {
                float[] read = new float[n + 3];
                Elements.read(Samples.view(type, gap, all, ROWS, COLS), first, n, read, 2);
                float[] wantRead = new float[n + 3];
                System.arraycopy(all, first, wantRead, 2, n);
                assertThat(read).isEqualTo(wantRead);

                Tensor to = Samples.view(type, gap, before, ROWS, COLS);
                Elements.write(all, first, to, first, n);
                float[] wantWritten = before.clone();
                System.arraycopy(all, first, wantWritten, first, n);
                assertThat(to.toArray()).isEqualTo(wantWritten);
                Samples.assertGapsUntouched(to);
            }
        }
    }

    @Test
    void float32KeepsItsBits() {
        int[] bits = {0x80000000, 1, 0x7f800001, 0xffc12345, 0x3f800001};
        float[] read = new float[5];
        int[] written = new int[5];
        Elements.read(Tensor.of(MemorySegment.ofArray(bits), DType.F32, Shape.of(5)), 0, 5, read, 0);
        Elements.write(read, 0, Tensor.of(MemorySegment.ofArray(written), DType.F32, Shape.of(5)), 0, 5);
        assertThat(written).isEqualTo(bits);
    }

    @ParameterizedTest
    @EnumSource(names = {"F16", "F8_E4M3", "I32", "F64"})
    void otherTypesAreNotWritten(DType type) {
        Tensor to = Tensor.of(MemorySegment.ofArray(new byte[16]), type, Shape.of(2));
        assertThatIllegalArgumentException().isThrownBy(() -> Elements.write(new float[2], 0, to, 0, 2))
                .withMessageContaining(type.name());
    }

    @Test
    void theVectorsOfARunAreCounted() {
        short[] stored = new short[3 * Simd.LANES];
        float[] values = new float[3 * Simd.LANES];
        Arrays.fill(values, 1.5f);
        assertThat(Narrow.bf16Vectors(values, 1, MemorySegment.ofArray(stored), 2, 3 * Simd.LANES - 1))
                .isEqualTo(2 * Simd.LANES);
        assertThat(stored[0]).isZero();
        assertThat(stored[1]).isEqualTo((short) 0x3fc0);
        assertThat(stored[2 * Simd.LANES]).isEqualTo((short) 0x3fc0);
        assertThat(stored[2 * Simd.LANES + 1]).isZero();
    }
}
