package jdiffusion.kernels.machine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import jdiffusion.tensor.FloatFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class MachineProductsTest {
    private static final int ROWS = 6;
    private static final float GAP = 12345f;

    private final SplittableRandom random = new SplittableRandom(5);

    private float[] normals(int n) {
        float[] values = new float[n];
        for (int i = 0; i < n; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }

    /** Products on this CPU, where it can, and in the interpreter. */
    private static MachineProducts bothWays(CpuLevel level, boolean bf16, int columns, int narrowColumns) {
        return new MachineProducts(level, bf16, columns, narrowColumns, body -> new BothWays(level, body));
    }

    /** Tiles of every width that a vector width of the Vector API leads to. */
    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "VECTOR")
    void sumsInFloat32AreThoseOfPlainLoopsToTheBit(CpuLevel level) {
        for (int width : new int[] {4, 8, 16, 64}) {
            try (MachineProducts products = bothWays(level, false, width, 4)) {
                assertThat(products.inPairs()).isFalse();
                for (int k : new int[] {0, 2, 6, 64, 130}) {
                    float[] a = normals(3 + ROWS * (k + 5));
                    float[] b = normals(7 + k * width);
                    float[] tile = normals(2 + ROWS * width + 9);
                    float[] expected = tile.clone();
                    for (int p = 0; p < k; p++) {
                        for (int i = 0; i < ROWS * width; i++) {
                            expected[2 + i] = Math.fma(a[3 + i / width * (k + 5) + p], b[7 + p * width + i % width],
                                    expected[2 + i]);
                        }
                    }
                    float[] narrow = tile.clone();
                    products.multiply(Start.SUMS, 1, k, a, 3, k + 5, b, 7, tile, 2);
                    assertThat(tile).as("width %s, k %s", width, k).isEqualTo(expected);
                    if (width == 4) {
                        products.multiplyNarrow(Start.SUMS, k, a, 3, k + 5, b, 7, narrow, 2);
                        assertThat(narrow).isEqualTo(expected);
                    }
                }
            }
        }
    }

    /** From there they are the same sums. */
    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "VECTOR")
    void sumsBeginWhereTheyAreTold(CpuLevel level) {
        int k = 6;
        int panels = 2;
        for (int width : new int[] {4, 16, 64}) {
            for (boolean bf16 : new boolean[] {false, true}) {
                try (MachineProducts products = bothWays(level, bf16, width, width)) {
                    float[] a = normals(panels * ROWS * k);
                    float[] b = normals(2 + width + k * width);
                    float[] rubbish = normals(panels * ROWS * width);
                    for (Start start : Start.values()) {
                        if (start == Start.ZERO && !products.inPairs()) {
                            assertThatThrownBy(() -> products.multiply(Start.ZERO, panels, k, a, 0, k, b, 2, rubbish, 0))
                                    .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("ZERO");
                            continue;
                        }
                        float[] expected = rubbish.clone();
                        for (int i = 0; i < expected.length; i++) {
                            expected[i] = switch (start) {
                                case SUMS -> expected[i];
                                case ZERO -> 0;
                                case ROW_BEFORE -> b[2 + i % width];
                            };
                        }
                        float[] narrow = Arrays.copyOf(expected, ROWS * width);
                        float[] from = rubbish.clone();
                        float[] narrowFrom = rubbish.clone();
                        products.multiply(Start.SUMS, panels, k, a, 0, k, b, 2 + width, expected, 0);
                        products.multiply(start, panels, k, a, 0, k, b, 2 + width, from, 0);
                        assertThat(from).as("%s, width %s", start, width).isEqualTo(expected);
                        products.multiplyNarrow(Start.SUMS, k, a, 0, k, b, 2 + width, narrow, 0);
                        products.multiplyNarrow(start, k, a, 0, k, b, 2 + width, narrowFrom, 0);
                        assertThat(Arrays.copyOf(narrowFrom, narrow.length)).isEqualTo(narrow);
                    }
                    refuse(() -> products.multiply(Start.ROW_BEFORE, panels, k, a, 0, k, b, width - 1, rubbish, 0));
                    assertThatThrownBy(() -> products.multiply(Start.ROW_BEFORE, panels, 0, a, 0, k, b, width, rubbish,
                            0)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("0 steps");
                }
            }
        }
    }

    /** Whatever hints say, also of memory that is not there. */
    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "VECTOR")
    void lookingAheadLeavesSumsAsTheyAre(CpuLevel level) {
        int k = 40;
        int panels = 3;
        try (MachineProducts products = bothWays(level, true, 64, 16); Arena arena = Arena.ofConfined()) {
            float[] a = normals(panels * ROWS * k);
            float[] b = normals(64 + k * 64);
            float[] first = normals(panels * ROWS * 64);
            MemorySegment rows = arena.allocate(1000);
            Ahead ahead = new Ahead();
            List<Runnable> hints = List.of(
                    () -> { },
                    () -> ahead.toRead(rows, 100, 20),
                    () -> ahead.toWrite(rows, 4, 30),
                    () -> ahead.advance(1000),
                    () -> ahead.toRead(MemorySegment.ofAddress(-1L << 47).reinterpret(8), 0, 1L << 40),
                    () -> ahead.toWrite(MemorySegment.ofAddress(8).reinterpret(8), 0, -(1L << 50)),
                    () -> ahead.toRead(MemorySegment.ofArray(a), 100, 20),
                    ahead::nothingToRead,
                    ahead::nothingToWrite);
            for (Start start : new Start[] {Start.SUMS, Start.ROW_BEFORE}) {
                float[] expected = first.clone();
                products.multiply(start, panels, k, a, 0, k, b, 64, expected, 0);
                for (Runnable hint : hints) {
                    float[] tiles = first.clone();
                    hint.run();
                    products.multiply(start, panels, k, a, 0, k, b, 64, tiles, 0, ahead);
                    assertThat(tiles).isEqualTo(expected);
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "VECTOR")
    void panelsFollowEachOther(CpuLevel level) {
        try (MachineProducts products = bothWays(level, false, 16, 16)) {
            float[] a = normals(3 * ROWS * 9 + 1);
            float[] b = normals(8 * 16);
            float[] together = normals(3 * ROWS * 16 + 2);
            float[] apart = together.clone();
            products.multiply(Start.SUMS, 3, 8, a, 1, 9, b, 0, together, 1);
            for (int p = 0; p < 3; p++) {
                products.multiply(Start.SUMS, 1, 8, a, 1 + p * ROWS * 9, 9, b, 0, apart, 1 + p * ROWS * 16);
            }
            assertThat(together).isEqualTo(apart);
        }
    }

    @Test
    void pairsOfWholeNumbersHaveExactSums() {
        for (int width : new int[] {16, 64}) {
            try (MachineProducts products = bothWays(CpuLevel.AVX512BF16, true, width, width)) {
                assertThat(products.inPairs()).isTrue();
                int k = 38;
                float[] a = new float[ROWS * k];
                float[] b = new float[k * width];
                float[] tile = new float[ROWS * width];
                float[] expected = tile.clone();
                int[][] left = wholes(a);
                int[][] right = wholes(b);
                for (int i = 0; i < ROWS * width; i++) {
                    for (int p = 0; p < 2 * k; p++) {
                        expected[i] += left[p % 2][i / width * k + p / 2] * right[p % 2][p / 2 * width + i % width];
                    }
                }
                products.multiply(Start.SUMS, 1, k, a, 0, k, b, 0, tile, 0);
                assertThat(tile).isEqualTo(expected);
            }
        }
    }

    /** Fills words with pairs of small whole numbers; gives the lower halves, then the upper. */
    private int[][] wholes(float[] words) {
        int[][] halves = new int[2][words.length];
        for (int i = 0; i < words.length; i++) {
            halves[0][i] = random.nextInt(-8, 9);
            halves[1][i] = random.nextInt(-8, 9);
            words[i] = pair(halves[0][i], halves[1][i]);
        }
        return halves;
    }

    private static float pair(float low, float high) {
        return Float.intBitsToFloat(FloatFormat.floatToBf16(low) & 0xffff | FloatFormat.floatToBf16(high) << 16);
    }

    @Test
    void roundingIsToNearestEven() {
        try (MachineProducts products = bothWays(CpuLevel.AVX512BF16, true, 64, 16)) {
            for (int words : new int[] {0, 1, 15, 16, 17, 160}) {
                float[] from = normals(3 + MachineProducts.padded(2 * words));
                for (int i = 0; i < from.length / 4; i++) {
                    // Half way between two numbers in bfloat16.
                    from[4 * i] = Float.intBitsToFloat(Float.floatToRawIntBits(from[4 * i]) & 0xffff0000 | 0x8000);
                }
                float[] to = new float[Math.ceilDiv(words, 16) * 16 + 8];
                Arrays.fill(to, GAP);
                products.roundPairs(from, 3, words, to, 5);
                for (int i = 0; i < words; i++) {
                    assertThat(Float.floatToRawIntBits(to[5 + i])).isEqualTo(
                            Float.floatToRawIntBits(pair(from[3 + 2 * i], from[4 + 2 * i])));
                }
                assertThat(to[4]).isEqualTo(GAP);
                assertThat(to[to.length - 3]).isEqualTo(GAP);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "VECTOR")
    void nothingOutsideTheArraysIsTouched(CpuLevel level) {
        try (MachineProducts p = bothWays(level, true, 16, 16)) {
            assertThat(p.inPairs()).isEqualTo(level.hasPairs());
            float[] a = new float[ROWS * 8];
            float[] b = new float[8 * 16];
            float[] tile = new float[ROWS * 16];
            p.multiply(Start.SUMS, 1, 8, a, 0, 8, b, 0, tile, 0);
            refuse(() -> p.multiply(Start.SUMS, 1, 8, a, 1, 8, b, 0, tile, 0));
            refuse(() -> p.multiply(Start.SUMS, 1, 8, a, -1, 8, b, 0, tile, 0));
            refuse(() -> p.multiply(Start.SUMS, 1, 8, a, 0, 9, b, 0, tile, 0));
            refuse(() -> p.multiply(Start.SUMS, 1, 8, a, 0, 8, b, 1, tile, 0));
            refuse(() -> p.multiply(Start.SUMS, 1, 10, a, 0, 6, b, 0, tile, 0));
            refuse(() -> p.multiply(Start.SUMS, 2, 8, a, 0, 2, b, 0, tile, 0));
            refuse(() -> p.multiply(Start.SUMS, Integer.MAX_VALUE, 8, a, 0, Integer.MAX_VALUE, b, 0, tile, 0));
            refuse(() -> p.multiplyNarrow(Start.SUMS, 8, a, 0, 8, b, 0, tile, 1));
            refuse(() -> p.multiply(Start.SUMS, 1, 8, a, 0, Integer.MAX_VALUE, b, 0, tile, 0));
            refuse(() -> p.multiply(Start.SUMS, 1, Integer.MAX_VALUE - 1, a, 0, 0, b, 0, tile, 0));
            assertThatThrownBy(() -> p.multiply(Start.SUMS, 1, 7, a, 0, 8, b, 0, tile, 0))
                    .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("7 steps");
            assertThatThrownBy(() -> p.multiply(Start.SUMS, 1, 8, a, 40, -8, b, 0, tile, 0))
                    .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("-32 bytes");
            if (p.inPairs()) {
                refuse(() -> p.roundPairs(new float[31], 0, 1, tile, 0));
                refuse(() -> p.roundPairs(new float[32], 0, 1, new float[15], 0));
            }
        }
    }

    /** Rows of words in any memory, wherever they begin there. */
    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "VECTOR")
    void rowsMayLieOutsideOfArrays(CpuLevel level) {
        int k = 10;
        int panels = 2;
        for (int width : new int[] {16, 64}) {
            try (MachineProducts products = bothWays(level, true, width, width); Arena arena = Arena.ofConfined()) {
                float[] a = normals(panels * ROWS * k);
                float[] b = normals(width + k * width);
                long stride = 4 * k + 6;
                long bytes = 2 + (panels * ROWS - 1) * stride + 4 * k;
                MemorySegment rows = arena.allocate(bytes, 64);
                for (int i = 0; i < a.length; i++) {
                    rows.set(ValueLayout.JAVA_FLOAT_UNALIGNED, 2 + i / k * stride + 4 * (i % k), a[i]);
                }
                float[] expected = new float[panels * ROWS * width];
                float[] tiles = expected.clone();
                float[] narrow = new float[ROWS * width];
                products.multiply(Start.ROW_BEFORE, panels, k, a, 0, k, b, width, expected, 0);
                products.multiply(Start.ROW_BEFORE, panels, k, rows, 2, stride, b, width, tiles, 0, new Ahead());
                products.multiplyNarrow(Start.ROW_BEFORE, k, rows, 2, stride, b, width, narrow, 0);
                assertThat(tiles).isEqualTo(expected);
                assertThat(narrow).isEqualTo(Arrays.copyOf(expected, narrow.length));
                for (long[] beyond : new long[][] {{3, stride}, {-1, stride}, {2, stride + 1}, {0, Long.MAX_VALUE / 8},
                    {0, 1L << 61}}) {
                    refuse(() -> products.multiply(Start.SUMS, panels, k, rows, beyond[0], beyond[1], b, width, tiles,
                            0, new Ahead()));
                }
            }
        }
    }

    private static void refuse(Runnable call) {
        assertThatThrownBy(call::run).isInstanceOf(IndexOutOfBoundsException.class);
    }

    @Test
    void codeIsGoneAfterClose() {
        Levels.assume(CpuLevel.AVX2);
        MachineProducts products = new MachineProducts(CpuLevel.AVX2, false, 16, 16);
        products.close();
        assertThatThrownBy(() -> products.multiply(Start.SUMS, 1, 2, new float[12], 0, 2, new float[32], 0, new float[96], 0))
                .isInstanceOf(IllegalStateException.class);
    }

    @Test
    void levelsSayWhyTheyAreNotUsable() {
        assertThat(CpuLevel.VECTOR.obstacle()).isNull();
        assertThat(CpuLevel.best().obstacle()).isNull();
        assertThatThrownBy(() -> new MachineProducts(CpuLevel.VECTOR, false, 16, 16))
                .isInstanceOf(IllegalArgumentException.class);
        boolean better = true;
        for (CpuLevel level : CpuLevel.values()) {
            // Each level has what the next one needs.
            assertThat(level.obstacle() == null || better).isTrue();
            better = level.obstacle() != null;
            if (better) {
                assertThat(level.obstacle()).doesNotContain("\n").isNotBlank();
            }
        }
    }
}
