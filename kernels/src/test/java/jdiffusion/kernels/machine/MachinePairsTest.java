package jdiffusion.kernels.machine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.SplittableRandom;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.machine.MachinePairs.HeadNorm;
import jdiffusion.tensor.FloatFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class MachinePairsTest {
    private static final float GAP = 12345f;
    private static final int COLUMNS = 64;

    private final SplittableRandom random = new SplittableRandom(5);

    private static MachinePairs bothWays() {
        return new MachinePairs(COLUMNS, body -> new BothWays(CpuLevel.AVX512BF16, body));
    }

    private float[] normals(int n) {
        float[] values = new float[n];
        for (int i = 0; i < n; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }

    private static float[] gaps(int n) {
        float[] values = new float[n];
        Arrays.fill(values, GAP);
        return values;
    }

    private static int word(float low, float high) {
        return FloatFormat.floatToBf16(low) & 0xffff | FloatFormat.floatToBf16(high) << 16;
    }

    private static void assertOnly(float[] values, int from, int to) {
        for (int i = 0; i < values.length; i++) {
            if (i < from || i >= to) {
                assertThat(values[i]).as("beside the result, at %s", i).isEqualTo(GAP);
            }
        }
    }

    @Test
    void rowsAreRounded() {
        try (MachinePairs code = bothWays()) {
            for (int channels : new int[] {32, 96}) {
                for (int count : new int[] {0, 1, 5}) {
                    int stride = channels + 7;
                    float[] from = normals(3 + count * stride + channels);
                    float[] to = gaps(2 + count * channels / 2 + 3);
                    code.rows(from, 3, stride, count, channels, null, to, 2);
                    for (int i = 0; i < count * channels / 2; i++) {
                        int at = 3 + i / (channels / 2) * stride + i % (channels / 2) * 2;
                        assertThat(Float.floatToRawIntBits(to[2 + i])).isEqualTo(word(from[at], from[at + 1]));
                    }
                    assertOnly(to, 2, 2 + count * channels / 2);
                }
            }
        }
    }

    @Test
    void rowsAreRoundedInTheirPlace() {
        try (MachinePairs code = bothWays()) {
            float[] values = normals(3 * 64 + 1);
            float[] apart = gaps(3 * 32);
            code.rows(values, 1, 64, 3, 64, null, apart, 0);
            code.rows(values, 1, 64, 3, 64, null, values, 1);
            assertThat(Arrays.copyOfRange(values, 1, 1 + 3 * 32)).isEqualTo(apart);
        }
    }

    /** The last bit of the norm may be another, and with it that of the rounded number. */
    @Test
    void rowsAreNormed() {
        try (MachinePairs code = bothWays()) {
            for (int channels : new int[] {32, 64, 96}) {
                float[] from = normals(4 * channels);
                float[] norm = new float[MachinePairs.NORM_HEAD + channels];
                int n = channels - 5;
                Arrays.fill(norm, 0, 16, 1f / n);
                Arrays.fill(norm, 16, 32, 0.25f);
                System.arraycopy(normals(channels), 0, norm, MachinePairs.NORM_HEAD, channels);
                float[] to = gaps(4 * channels / 2 + 1);
                code.rows(from, 0, channels, 4, channels, norm, to, 0);
                for (int row = 0; row < 4; row++) {
                    double squares = 0;
                    for (int c = 0; c < channels; c++) {
                        squares += (double) from[row * channels + c] * from[row * channels + c];
                    }
                    double factor = 1 / Math.sqrt(squares / n + 0.25);
                    for (int c = 0; c < channels; c++) {
                        double exact = from[row * channels + c] * factor * norm[MachinePairs.NORM_HEAD + c];
                        int pair = Float.floatToRawIntBits(to[(row * channels + c) / 2]);
                        float actual = Float.intBitsToFloat(c % 2 == 0 ? pair << 16 : pair & 0xffff0000);
                        assertThat((double) actual).isCloseTo(exact,
                                within(Math.abs(exact) * (0x1p-8 + 1e-6)));
                    }
                }
                assertOnly(to, 0, to.length - 1);
            }
        }
    }

    /** Each norm, turned and not, in rows that are filled up and in whole ones. */
    @ParameterizedTest
    @EnumSource
    void headsAreNormedAndTurned(HeadNorm norm) {
        try (MachinePairs code = bothWays()) {
            for (int n : new int[] {32, 72, 128}) {
                int channels = Math.ceilDiv(n, 32) * 32;
                int size = MachinePairs.headsSize(channels);
                float[] values = new float[size + 3 * channels];
                code.beginHeads(0.25f, n, channels, values);
                float[] weight = normals(n);
                if (norm == HeadNorm.RMS) {
                    System.arraycopy(weight, 0, values, size - channels, n);
                }
                float[] angles = normals(3 * n);
                float[] table = new float[1 + 3 * 2 * channels];
                for (int i = 0; i < 3 * n; i++) {
                    values[size + i / n * channels + i % n] = 1 + (float) random.nextGaussian();
                    int cosine = 1 + i / n * 2 * channels + MachinePairs.cosineAt(i % n);
                    table[cosine] = (float) Math.cos(angles[i / 2 * 2]);
                    table[cosine + MachinePairs.SIDE] = (float) Math.sin(angles[i / 2 * 2]) * (i % 2 == 0 ? -1 : 1);
                }
                for (boolean turned : new boolean[] {true, false}) {
                    float[] to = gaps(3 * channels / 2 + 2);
                    code.heads(norm, values, 3, channels, turned ? table : null, 1, MemorySegment.ofArray(to), 4);
                    assertOnly(to, 1, to.length - 1);
                    for (int row = 0; row < 3; row++) {
                        double[] exact = normed(norm, values, size + row * channels, n, weight);
                        for (int c = 0; c < channels; c++) {
                            int pair = Float.floatToRawIntBits(to[1 + (row * channels + c) / 2]);
                            float actual = Float.intBitsToFloat(c % 2 == 0 ? pair << 16 : pair & 0xffff0000);
                            double angle = c < n && turned ? angles[(row * n + c) / 2 * 2] : 0;
                            double own = c < n ? exact[c] * Math.cos(angle) : 0;
                            double other = c < n ? exact[c ^ 1] * Math.sin(angle) * (c % 2 == 0 ? -1 : 1) : 0;
                            assertThat((double) actual).as("%s of %s, turned %s, at %s", norm, n, turned, c).isCloseTo(
                                    own + other, within(Math.abs(own + other) * 0x1p-8 + 2e-6));
                        }
                    }
                }
            }
        }
    }

    private static double[] normed(HeadNorm norm, float[] values, int at, int n, float[] weight) {
        double mean = 0;
        for (int c = 0; c < n && norm == HeadNorm.LAYER; c++) {
            mean += values[at + c] / (double) n;
        }
        double square = 0.25;
        for (int c = 0; c < n; c++) {
            square += (values[at + c] - mean) * (values[at + c] - mean) / n;
        }
        double[] result = new double[n];
        for (int c = 0; c < n; c++) {
            result[c] = norm == HeadNorm.NONE ? values[at + c]
                    : (values[at + c] - mean) / Math.sqrt(square) * (norm == HeadNorm.RMS ? weight[c] : 1);
        }
        return result;
    }

    @Test
    void rowsArePaired() {
        try (MachinePairs code = bothWays()) {
            for (int channels : new int[] {16, 64}) {
                for (int count : new int[] {0, 1, 3}) {
                    int stride = channels + 9;
                    float[] from = normals(1 + 2 * count * stride + channels);
                    float[] to = gaps(4 + count * channels + 1);
                    code.pairs(from, 1, stride, count, channels, to, 4);
                    for (int i = 0; i < count * channels; i++) {
                        int upper = 1 + i / channels * 2 * stride + i % channels;
                        assertThat(Float.floatToRawIntBits(to[4 + i])).isEqualTo(word(from[upper],
                                from[upper + stride]));
                    }
                    assertOnly(to, 4, 4 + count * channels);
                }
            }
        }
    }

    private static short[] bf16(float[] values) {
        short[] stored = new short[values.length];
        for (int i = 0; i < values.length; i++) {
            stored[i] = FloatFormat.floatToBf16(values[i]);
        }
        return stored;
    }

    /** From an odd place, so that no word is where words usually are. */
    @Test
    void rowsOfWordsAreNormed() {
        try (MachinePairs code = bothWays()) {
            for (int channels : new int[] {32, 64, 96}) {
                for (int count : new int[] {0, 1, 4}) {
                    int stride = channels + 5;
                    short[] from = bf16(normals(3 + count * stride + channels));
                    float[] weight = normals(1 + channels);
                    float[] norm = gaps(MachinePairs.wordNormSize(channels) + 1);
                    int n = channels - 5;
                    code.wordNorm(1f / n, 0.25f, weight, 1, channels, norm);
                    assertOnly(norm, 0, norm.length - 1);
                    float[] to = gaps(2 + count * channels / 2 + 1);
                    code.normedWords(MemorySegment.ofArray(from), 2 * 3, 2 * stride, count, channels, norm, to, 2);
                    for (int row = 0; row < count; row++) {
                        double squares = 0;
                        for (int c = 0; c < channels; c++) {
                            double x = FloatFormat.bf16ToFloat(from[3 + row * stride + c]);
                            squares += x * x;
                        }
                        double factor = 1 / Math.sqrt(squares / n + 0.25);
                        for (int c = 0; c < channels; c++) {
                            double exact = FloatFormat.bf16ToFloat(from[3 + row * stride + c]) * factor
                                    * weight[1 + c];
                            int pair = Float.floatToRawIntBits(to[2 + (row * channels + c) / 2]);
                            float actual = FloatFormat.bf16ToFloat((short) (c % 2 == 0 ? pair : pair >>> 16));
                            assertThat((double) actual).isCloseTo(exact, within(Math.abs(exact) * (0x1p-8 + 1e-6)));
                        }
                    }
                    assertOnly(to, 2, 2 + count * channels / 2);
                }
            }
        }
    }

    @Test
    void rowsOfWordsArePaired() {
        try (MachinePairs code = bothWays()) {
            for (int channels : new int[] {32, 96}) {
                for (int count : new int[] {0, 1, 3}) {
                    int stride = channels + 9;
                    short[] from = bf16(normals(1 + 2 * count * stride + channels));
                    float[] to = gaps(4 + count * channels + 1);
                    code.pairsOfWords(MemorySegment.ofArray(from), 2, 2 * stride, count, channels, to, 4);
                    for (int i = 0; i < count * channels; i++) {
                        int upper = 1 + i / channels * 2 * stride + i % channels;
                        assertThat(Float.floatToRawIntBits(to[4 + i]))
                                .isEqualTo(from[upper] & 0xffff | from[upper + stride] << 16);
                    }
                    assertOnly(to, 4, 4 + count * channels);
                }
            }
        }
    }

    @Test
    void wordsAreTransposed() {
        try (MachinePairs code = bothWays()) {
            for (int words : new int[] {16, 48}) {
                int stride = words + 5;
                int apart = 21;
                float[] from = normals(2 + 16 * stride);
                float[] to = gaps(3 + words * apart);
                code.transpose(from, 2, stride, words, to, 3, apart);
                for (int i = 0; i < to.length; i++) {
                    int row = (i - 3) / apart;
                    int column = (i - 3) % apart;
                    boolean inside = i >= 3 && column < 16;
                    assertThat(to[i]).isEqualTo(inside ? from[2 + column * stride + row] : GAP);
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"SILU", "GELU_TANH", "QUICK_GELU", "RELU"})
    void activationsAreThoseOfTheirFormulas(Activation activation) {
        float[] values = gaps(3 + 48 + 2);
        for (int i = 0; i < 48; i++) {
            values[3 + i] = (i - 24) * 0.9f;
        }
        float[] before = values.clone();
        try (MachinePairs code = bothWays()) {
            code.activate(activation, values, 3, 0);
            assertThat(values).isEqualTo(before);
            code.activate(activation, values, 3, 48);
            refuse(() -> code.activate(activation, values, 6, 48));
            assertThatThrownBy(() -> code.activate(activation, values, 0, 15))
                    .isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> code.activate(Activation.GELU_ERF, values, 0, 16))
                    .isInstanceOf(IllegalArgumentException.class);
        }
        for (int i = 0; i < 48; i++) {
            double x = before[3 + i];
            double expected = switch (activation) {
                case SILU -> x / (1 + Math.exp(-x));
                case QUICK_GELU -> x / (1 + Math.exp(-1.702 * x));
                case RELU -> Math.max(x, 0);
                default -> x / 2 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
            };
            assertThat((double) values[3 + i]).isCloseTo(expected, within(Math.abs(x) * 1e-6));
        }
        assertOnly(values, 3, 51);
    }

    @ParameterizedTest
    @EnumSource(names = {"NONE", "SILU"})
    void pixelsAreNormed(Activation activation) {
        int pixels = 3;
        int channels = 96;
        float[] from = normals(1 + pixels * channels);
        float[] factors = normals(3 * channels);
        float[] to = gaps(5 + pixels * channels / 2 + 2);
        try (MachinePairs code = bothWays()) {
            MemorySegment image = MemorySegment.ofArray(from);
            assertThat(MachinePairs.norms(activation)).isTrue();
            code.normed(activation, image, 4, 0, channels, factors, to, 5);
            assertOnly(to, 5, 5);
            code.normed(activation, image, 4, pixels, channels, factors, to, 5);
            refuse(() -> code.normed(activation, image, 8, pixels, channels, factors, to, 5));
            refuse(() -> code.normed(activation, image, 4, pixels, channels, new float[3 * channels - 1], to, 5));
            refuse(() -> code.normed(activation, image, 4, pixels, channels, factors, to, 8));
            assertThatThrownBy(() -> code.normed(activation, image, 4, pixels, 48, factors, to, 5))
                    .isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> code.normed(Activation.GELU_ERF, image, 4, pixels, channels, factors, to, 5))
                    .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("GELU_ERF");
        }
        for (int i = 0; i < pixels * channels; i++) {
            int c = i % channels;
            double x = (from[1 + i] + factors[c]) * factors[channels + c] + factors[2 * channels + c];
            double expected = activation == Activation.SILU ? x / (1 + Math.exp(-x)) : x;
            int word = Float.floatToRawIntBits(to[5 + i / 2]);
            float value = FloatFormat.bf16ToFloat((short) (i % 2 == 0 ? word : word >> 16));
            // Half a step of bfloat16, and float32's own error where the sum cancels.
            assertThat((double) value).isCloseTo(expected, within(Math.abs(expected) / 256 + 1e-5));
        }
        assertOnly(to, 5, 5 + pixels * channels / 2);
    }

    /** Two blocks, the first with keys that are masked, one query without any key yet. */
    @Test
    void softmaxGoesOnFromBlockToBlock() {
        int channels = 3;
        float scale = 0.3f;
        int[] sizes = {6, 2, 10};
        float[] state = gaps(3 * COLUMNS + 2);
        float[] sums = normals(5 + channels * COLUMNS + 4);
        float[] sumsBefore = sums.clone();
        double[] largest = new double[COLUMNS];
        double[] sum = new double[COLUMNS];
        double[] shrunk = new double[COLUMNS];
        Arrays.fill(largest, Double.NEGATIVE_INFINITY);
        Arrays.fill(shrunk, 1);
        try (MachinePairs pairs = bothWays()) {
            MachineSoftmax code = pairs.softmax();
            code.reset(state, 1);
            for (int block = 0; block < sizes.length; block++) {
                int keys = sizes[block];
                float[] scores = normals(keys * COLUMNS + 1);
                for (int i = 0; i < keys * COLUMNS; i++) {
                    boolean masked = block == 0 && (i % COLUMNS == 9 || i % 5 == 0);
                    scores[i] = masked ? Float.NEGATIVE_INFINITY : 20 * scores[i];
                }
                float[] before = scores.clone();
                code.run(scores, keys, scale, state, 1, sums, 5, channels);
                for (int q = 0; q < COLUMNS; q++) {
                    double old = largest[q];
                    for (int key = 0; key < keys; key++) {
                        largest[q] = Math.max(largest[q], before[key * COLUMNS + q]);
                    }
                    double factor = old == largest[q] ? 1 : Math.exp(scale * (old - largest[q]));
                    shrunk[q] *= factor;
                    sum[q] *= factor;
                    for (int key = 0; key < keys; key++) {
                        double p = largest[q] == Double.NEGATIVE_INFINITY ? 0
                                : Math.exp(scale * (before[key * COLUMNS + q] - largest[q]));
                        sum[q] += p;
                        int pair = Float.floatToRawIntBits(scores[key / 2 * COLUMNS + q]);
                        float actual = Float.intBitsToFloat(key % 2 == 0 ? pair << 16 : pair & 0xffff0000);
                        assertThat((double) actual).as("block %s, query %s, key %s", block, q, key)
                                .isCloseTo(p, within(p * 0x1.01p-8 + 1e-30));
                    }
                    assertThat((double) code.sum(state, 1, q)).isCloseTo(sum[q],
                            within(sum[q] * 1e-5));
                }
                assertThat(scores[keys * COLUMNS]).isEqualTo(before[keys * COLUMNS]);
            }
        }
        for (int i = 0; i < sums.length; i++) {
            boolean inside = i >= 5 && i < 5 + channels * COLUMNS;
            double expected = sumsBefore[i] * (inside ? shrunk[(i - 5) % COLUMNS] : 1);
            assertThat((double) sums[i]).isCloseTo(expected, within(
                    Math.abs(expected) * 1e-4 + 1e-30));
        }
        assertThat(state[0]).isEqualTo(GAP);
        assertThat(state[3 * COLUMNS + 1]).isEqualTo(GAP);
    }

    @Test
    void aScoreThatIsNotANumberSpoilsItsQueryOnly() {
        try (MachinePairs pairs = bothWays()) {
            MachineSoftmax code = pairs.softmax();
            float[] state = new float[code.stateSize()];
            code.reset(state, 0);
            float[] scores = normals(4 * COLUMNS);
            scores[2 * COLUMNS + 7] = Float.NaN;
            code.run(scores, 4, 1, state, 0, new float[COLUMNS], 0, 1);
            for (int q = 0; q < COLUMNS; q++) {
                assertThat(Float.isNaN(code.sum(state, 0, q))).isEqualTo(q == 7);
            }
        }
    }

    @Test
    void nothingOutsideTheArraysIsTouched() {
        try (MachinePairs code = bothWays()) {
            float[] small = new float[32 * 3 - 1];
            float[] large = new float[4096];
            refuse(() -> code.rows(small, 0, 32, 3, 32, null, large, 0));
            refuse(() -> code.rows(large, 0, 32, 6, 32, null, small, 0));
            refuse(() -> code.rows(large, -1, 32, 1, 32, null, large, 0));
            refuse(() -> code.rows(large, 0, 32, 1, 96, small, large, 0));
            refuse(() -> code.pairs(small, 0, 16, 3, 16, large, 0 - 1));
            refuse(() -> code.pairs(small, 0, 32, 2, 16, large, 4081 - 16));
            refuse(() -> code.transpose(small, 0, 16, 16, large, 0, 16));
            refuse(() -> code.transpose(large, 0, 16, 16, small, 0, 16));
            refuse(() -> code.softmax().run(small, 2, 1, large, 0, large, 0, 1));
            refuse(() -> code.softmax().run(large, 2, 1, small, 0, large, 0, 1));
            refuse(() -> code.softmax().run(large, 2, 1, large, 0, small, 0, 2));
            assertThatThrownBy(() -> code.rows(MemorySegment.ofArray(large), 0, Long.MAX_VALUE, 3, 32, null, large, 0))
                    .isInstanceOf(ArithmeticException.class);
            for (Runnable call : new Runnable[] {() -> code.rows(large, 0, 32, 1, 16, null, large, 0),
                () -> code.rows(large, 0, -32, 1, 32, null, large, 0), () -> code.pairs(large, 0, 8, 1, 8, large, 0),
                () -> code.transpose(large, 0, 16, 8, large, 0, 16),
                () -> code.transpose(large, 0, 16, 16, large, 0, 8),
                () -> code.softmax().run(large, 3, 1, large, 0, large, 0, 1),
                () -> code.softmax().run(large, 2, 64, large, 0, large, 0, 1),
                () -> code.softmax().run(large, 2, Float.NaN, large, 0, large, 0, 1)}) {
                assertThatThrownBy(call::run).isInstanceOf(IllegalArgumentException.class);
            }
        }
    }

    @Test
    void nothingOutsideRowsOfWordsIsTouched() {
        MemorySegment from = MemorySegment.ofArray(new short[3 * 32]);
        float[] norm = new float[MachinePairs.wordNormSize(32)];
        float[] to = new float[3 * 16];
        try (MachinePairs code = bothWays()) {
            code.wordNorm(1, 1, new float[32], 0, 32, norm);
            code.normedWords(from, 0, 64, 3, 32, norm, to, 0);
            code.pairsOfWords(from, 0, 64, 1, 32, to, 0);
            refuse(() -> code.normedWords(from, 2, 64, 3, 32, norm, to, 0));
            refuse(() -> code.normedWords(from, -2, 64, 3, 32, norm, to, 0));
            refuse(() -> code.normedWords(from, 0, 64, 3, 32, norm, to, 1));
            refuse(() -> code.normedWords(from, 0, 64, 1, 32, new float[norm.length - 1], to, 0));
            refuse(() -> code.pairsOfWords(from, 66, 64, 1, 32, to, 0));
            refuse(() -> code.pairsOfWords(from, 0, 66, 2, 32, new float[64], 0));
            refuse(() -> code.pairsOfWords(from, 0, 64, 1, 32, to, 17));
            refuse(() -> code.wordNorm(1, 1, new float[32], 1, 32, norm));
            refuse(() -> code.wordNorm(1, 1, new float[64], 0, 64, norm));
            for (Runnable call : new Runnable[] {() -> code.normedWords(from, 0, 64, 1, 16, norm, to, 0),
                () -> code.normedWords(from, 0, -64, 1, 32, norm, to, 0),
                () -> code.normedWords(from, 0, 64, -1, 32, norm, to, 0),
                () -> code.pairsOfWords(from, 0, 64, 1, 16, to, 0),
                () -> code.wordNorm(1, 1, new float[32], 0, 16, norm)}) {
                assertThatThrownBy(call::run).isInstanceOf(IllegalArgumentException.class);
            }
            assertThatThrownBy(() -> code.pairsOfWords(from, 0, Long.MAX_VALUE, 1, 32, to, 0))
                    .isInstanceOf(IndexOutOfBoundsException.class);
        }
    }

    private static void refuse(Runnable call) {
        assertThatThrownBy(call::run).isInstanceOf(IndexOutOfBoundsException.class);
    }
}
