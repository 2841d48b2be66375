package jdiffusion.kernels.machine;

import static jdiffusion.kernels.machine.AmxProducts.BLOCK_FLOATS;
import static jdiffusion.kernels.machine.AmxProducts.DEPTH;
import static jdiffusion.kernels.machine.AmxProducts.PACKED_ROWS;
import static jdiffusion.kernels.machine.AmxProducts.SIDE;
import static jdiffusion.kernels.machine.AmxProducts.STEP_WORDS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.SplittableRandom;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.cpu.MathReference;
import jdiffusion.tensor.FloatFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** In the interpreter, and on the CPU too, with the same bits: all that has no tiles, and tiles where it has them. */
class AmxProductsTest {
    private static final int COLUMNS = 64;
    private static final float GAP = 12345f;

    private final SplittableRandom random = new SplittableRandom(7);

    private static AmxProducts products() {
        return new AmxProducts(COLUMNS, BothWays::of);
    }

    private float[] wholes(int n) {
        float[] values = new float[n];
        for (int i = 0; i < n; i++) {
            values[i] = random.nextInt(-8, 9);
        }
        return values;
    }

    private float[] normals(int n) {
        float[] values = new float[n];
        for (int i = 0; i < n; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }

    private static short[] bf16(float[] values) {
        short[] stored = new short[values.length];
        for (int i = 0; i < values.length; i++) {
            stored[i] = FloatFormat.floatToBf16(values[i]);
        }
        return stored;
    }

    /** Left rows [32 * blocks][32 * steps], packed from {@code at} on. */
    private static float[] packed(AmxProducts products, float[] left, int blocks, int steps, int at) {
        float[] words = new float[at + blocks * steps * STEP_WORDS];
        int k = steps * DEPTH;
        for (int row = 0; row < blocks * SIDE; row += PACKED_ROWS) {
            int half = row % SIDE == 0 ? 0 : STEP_WORDS / 2;
            products.pack(left, row * k, k, steps, words, at + row / SIDE * steps * STEP_WORDS + half);
        }
        return words;
    }

    /** Whole numbers have exact sums, in any order: every place of every operand is where it should be. */
    @Test
    void packedMultipliedAndUnpackedIsTheProduct() {
        try (AmxProducts products = products()) {
            for (int[] size : new int[][] {{1, 1}, {1, 3}, {3, 2}}) {
                int blocks = size[0];
                int steps = size[1];
                int k = steps * DEPTH;
                int stride = k + 7;
                float[] left = wholes(blocks * SIDE * k);
                float[] right = wholes(5 + SIDE * stride);
                float[] sums = new float[2 + blocks * BLOCK_FLOATS];
                Arrays.fill(sums, GAP);
                float[] words = packed(products, left, blocks, steps, 3);
                float[] out = new float[blocks * SIDE * 40 + 1];
                Arrays.fill(out, GAP);
                float[] bias = wholes(SIDE);
                for (int round = 1; round <= 2; round++) {
                    products.multiply(round == 1, MemorySegment.ofArray(bf16(right)), 2 * 5, 2 * stride, steps, words,
                            3, blocks, sums, 2);
                    products.unpack(Activation.NONE, sums, 2, blocks, bias, out, 1, 40);
                    for (int i = 0; i < blocks * SIDE; i++) {
                        for (int j = 0; j < SIDE; j++) {
                            float expected = bias[j];
                            for (int p = 0; p < k; p++) {
                                expected += round * left[i * k + p] * right[5 + j * stride + p];
                            }
                            assertThat(out[1 + i * 40 + j]).as("row %s, column %s", i, j).isEqualTo(expected);
                        }
                        if (i + 1 < blocks * SIDE) {
                            assertThat(Arrays.copyOfRange(out, 1 + i * 40 + SIDE, 1 + i * 40 + 40)).containsOnly(GAP);
                        }
                    }
                }
                assertThat(sums[1]).isEqualTo(GAP);
            }
        }
    }

    @Test
    void rightRowsMayBeWordsOfAnArray() {
        try (AmxProducts products = products()) {
            float[] left = normals(SIDE * DEPTH);
            float[] right = normals(SIDE * DEPTH);
            float[] words = packed(products, left, 1, 1, 0);
            float[] rightWords = new float[1 + SIDE * DEPTH / 2];
            products.roundPairs(right, 0, SIDE * DEPTH / 2, rightWords, 1);
            float[] sums = new float[BLOCK_FLOATS];
            float[] same = new float[BLOCK_FLOATS];
            products.multiply(true, rightWords, 1, DEPTH / 2, 1, words, 0, 1, sums, 0);
            products.multiply(true, MemorySegment.ofArray(bf16(right)), 0, 2 * DEPTH, 1, words, 0, 1, same, 0);
            assertThat(sums).isEqualTo(same).doesNotContain(0f);
        }
    }

    /** A block does not depend on those beside it, nor its sums on being interrupted. */
    @Test
    void blocksAreOnTheirOwn() {
        try (AmxProducts products = products()) {
            int steps = 2;
            int k = steps * DEPTH;
            float[] words = packed(products, normals(2 * SIDE * k), 2, steps, 0);
            MemorySegment right = MemorySegment.ofArray(bf16(normals(SIDE * k)));
            float[] together = new float[2 * BLOCK_FLOATS];
            float[] apart = new float[2 * BLOCK_FLOATS];
            products.multiply(true, right, 0, 2 * k, steps, words, 0, 2, together, 0);
            for (int b = 0; b < 2; b++) {
                for (int s = 0; s < steps; s++) {
                    products.multiply(s == 0, right, 2L * s * DEPTH, 2 * k, 1, words, (b * steps + s) * STEP_WORDS, 1,
                            apart, b * BLOCK_FLOATS);
                }
            }
            assertThat(apart).isEqualTo(together);
        }
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "ROUND")
    void rowsMeetWhatIsThere(Into into) {
        try (AmxProducts products = products()) {
            float[] sums = normals(2 * BLOCK_FLOATS);
            float[] vectors = normals(2 * SIDE);
            float[] old = normals(1 + 2 * SIDE * SIDE);
            float[] out = old.clone();
            products.unpack(into, Activation.NONE, sums, 0, 2, vectors, MemorySegment.ofArray(out), 4, 4 * SIDE);
            assertThat(out[0]).isEqualTo(old[0]);
            for (int i = 0; i < 2 * SIDE; i++) {
                for (int j = 0; j < SIDE; j++) {
                    int tile = (i / 16 * 2 + j / 16) * 256;
                    float y = sums[tile + j % 16 * 16 + i % 16] + vectors[j];
                    int at = 1 + i * SIDE + j;
                    float expected = switch (into) {
                        case STORE, ROUND -> y;
                        case ADD -> old[at] + y;
                        case GATED_ADD -> old[at] + vectors[SIDE + j] * y;
                        case MULTIPLY -> old[at] * y;
                    };
                    assertThat(out[at]).as("row %s, column %s", i, j).isEqualTo(expected);
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"SILU", "GELU_TANH", "QUICK_GELU", "RELU"})
    void rowsAreActivated(Activation activation) {
        try (AmxProducts products = products()) {
            float[] sums = new float[BLOCK_FLOATS];
            for (int i = 0; i < BLOCK_FLOATS; i++) {
                sums[i] = (i - BLOCK_FLOATS / 2) / 25f;
            }
            float[] special = {0, -0f, 1e-30f, -1e-30f, 1e30f, -1e30f, -200, Float.MAX_VALUE, -Float.MAX_VALUE,
                Float.POSITIVE_INFINITY, Float.NaN};
            System.arraycopy(special, 0, sums, 0, special.length);
            float[] out = new float[BLOCK_FLOATS];
            products.unpack(activation, sums, 0, 1, new float[SIDE], out, 0, SIDE);
            for (int i = 0; i < BLOCK_FLOATS; i++) {
                int tile = i / 256;
                float x = sums[i];
                float y = out[(tile / 2 * 16 + i % 16) * SIDE + tile % 2 * 16 + i / 16 % 16];
                double expected = MathReference.activate(activation, x);
                assertThat(AmxProducts.activates(activation)).isTrue();
                if (Double.isNaN(expected) || Math.abs(expected) > Float.MAX_VALUE) {
                    assertThat(y).isEqualTo(Float.valueOf((float) expected));
                } else {
                    assertThat((double) y).as("%s of %s", activation, x)
                            .isCloseTo(expected, within(Math.abs(expected) * 2e-6 + 1e-14));
                }
            }
        }
    }

    /** Attention's products: rows by columns of words, in whole numbers. */
    @Test
    void rowsTimesColumns() {
        try (AmxProducts products = products()) {
            for (int[] size : new int[][] {{SIDE, 16}, {2 * SIDE, 48}, {18 * SIDE, 16 * 32}}) {
                int rows = size[0];
                int k = size[1];
                float[] left = wholes(rows * 2 * k);
                float[] right = wholes(2 * k * COLUMNS);
                float[] a = new float[3 + rows * (k + 16)];
                float[] b = new float[1 + k * COLUMNS];
                for (int i = 0; i < rows * k; i++) {
                    a[3 + i / k * (k + 16) + i % k] = pair(left[2 * i], left[2 * i + 1]);
                }
                for (int i = 0; i < k * COLUMNS; i++) {
                    int upper = i / COLUMNS * 2 * COLUMNS + i % COLUMNS;
                    b[1 + i] = pair(right[upper], right[upper + COLUMNS]);
                }
                float[] c = new float[2 + rows * COLUMNS];
                Arrays.fill(c, GAP);
                for (int round = 1; round <= 2; round++) {
                    products.multiplyRows(round == 1, rows, k, a, 3, k + 16, b, 1, c, 2);
                }
                assertThat(c[1]).isEqualTo(GAP);
                for (int i = 0; i < rows; i += 7) {
                    for (int j = 0; j < COLUMNS; j++) {
                        float expected = 0;
                        for (int p = 0; p < 2 * k; p++) {
                            expected += 2 * left[i * 2 * k + p] * right[p * COLUMNS + j];
                        }
                        assertThat(c[2 + i * COLUMNS + j]).as("row %s, column %s", i, j).isEqualTo(expected);
                    }
                }
            }
        }
    }

    private static float pair(float low, float high) {
        return Float.intBitsToFloat(FloatFormat.floatToBf16(low) & 0xffff | FloatFormat.floatToBf16(high) << 16);
    }

    @Test
    void rowsOutsideTheArraysAreNotTouched() {
        try (AmxProducts p = products()) {
            float[] a = new float[SIDE * 16];
            float[] b = new float[16 * COLUMNS];
            float[] c = new float[SIDE * COLUMNS];
            p.multiplyRows(true, SIDE, 16, a, 0, 16, b, 0, c, 0);
            refuse(() -> p.multiplyRows(true, SIDE, 16, a, 1, 16, b, 0, c, 0));
            refuse(() -> p.multiplyRows(true, SIDE, 16, a, 0, 17, b, 0, c, 0));
            refuse(() -> p.multiplyRows(true, SIDE, 16, a, 0, 16, b, 1, c, 0));
            refuse(() -> p.multiplyRows(true, SIDE, 16, a, 0, 16, b, 0, c, 1));
            refuse(() -> p.multiplyRows(true, 2 * SIDE, 16, a, 0, 0, b, 0, c, 0));
            refuse(() -> p.multiplyRows(true, SIDE, 32, a, 0, 0, b, 0, c, 0));
            for (int[] size : new int[][] {{16, 16}, {SIDE, 8}, {0, 16}, {SIDE, 0}}) {
                assertThatThrownBy(() -> p.multiplyRows(true, size[0], size[1], a, 0, 16, b, 0, c, 0))
                        .isInstanceOf(IllegalArgumentException.class);
            }
            assertThatThrownBy(() -> p.multiplyRows(true, SIDE, 16, a, 0, -1, b, 0, c, 0))
                    .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("-1 apart");
        }
    }

    @Test
    void nothingOutsideTheSegmentsIsTouched() {
        try (AmxProducts p = products()) {
            float[] rows = new float[PACKED_ROWS * DEPTH];
            float[] words = new float[STEP_WORDS];
            float[] sums = new float[BLOCK_FLOATS];
            float[] vectors = new float[SIDE];
            MemorySegment right = MemorySegment.ofArray(new short[SIDE * DEPTH]);
            MemorySegment out = MemorySegment.ofArray(new float[SIDE * SIDE]);
            p.pack(rows, 0, DEPTH, 1, words, STEP_WORDS / 2);
            refuse(() -> p.pack(rows, 1, DEPTH, 1, words, 0));
            refuse(() -> p.pack(rows, 0, DEPTH + 1, 1, words, 0));
            refuse(() -> p.pack(rows, 0, 0, 17, words, 0));
            refuse(() -> p.pack(rows, 0, DEPTH, 1, words, STEP_WORDS / 2 + 1));
            p.multiply(true, right, 0, 2 * DEPTH, 1, words, 0, 1, sums, 0);
            refuse(() -> p.multiply(true, right, 2, 2 * DEPTH, 1, words, 0, 1, sums, 0));
            refuse(() -> p.multiply(true, right, -2, 2 * DEPTH, 1, words, 0, 1, sums, 0));
            refuse(() -> p.multiply(true, right, 0, 2 * DEPTH + 2, 1, words, 0, 1, sums, 0));
            refuse(() -> p.multiply(true, right, 0, 0, 2, words, 0, 1, sums, 0));
            refuse(() -> p.multiply(true, right, 0, 2 * DEPTH, 1, words, 1, 1, sums, 0));
            refuse(() -> p.multiply(true, right, 0, 2 * DEPTH, 1, words, 0, 2, sums, 0));
            refuse(() -> p.multiply(true, right, 0, 2 * DEPTH, 1, words, 0, 1, sums, 1));
            assertThatThrownBy(() -> p.multiply(true, right, 0, Long.MAX_VALUE, 1, words, 0, 1, sums, 0))
                    .isInstanceOf(ArithmeticException.class);
            p.unpack(Into.STORE, Activation.NONE, sums, 0, 1, vectors, out, 0, 4 * SIDE);
            refuse(() -> p.unpack(Into.STORE, Activation.NONE, sums, 0, 1, vectors, out, 4, 4 * SIDE));
            refuse(() -> p.unpack(Into.STORE, Activation.NONE, sums, 0, 1, vectors, out, 0, 4 * SIDE + 4));
            refuse(() -> p.unpack(Into.STORE, Activation.NONE, sums, 0, 2, vectors, out, 0, 0));
            refuse(() -> p.unpack(Into.GATED_ADD, Activation.NONE, sums, 0, 1, vectors, out, 0, 4 * SIDE));
            MemorySegment fixed = out.asReadOnly();
            assertThatThrownBy(() -> p.unpack(Into.STORE, Activation.NONE, sums, 0, 1, vectors, fixed, 0, 4 * SIDE))
                    .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("read-only");
            assertThatThrownBy(() -> p.multiply(true, right, 0, -2, 1, words, 0, 1, sums, 0))
                    .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("-2 apart");
            assertThatThrownBy(() -> p.multiply(true, right, 0, 0, 0, words, 0, 1, sums, 0))
                    .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("0 steps");
            assertThatThrownBy(() -> p.multiply(true, right, 0, 0, 1, words, 0, AmxProducts.MOST + 1, sums, 0))
                    .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("blocks");
        }
    }

    private static void refuse(Runnable call) {
        assertThatThrownBy(call::run).isInstanceOf(IndexOutOfBoundsException.class);
    }
}
