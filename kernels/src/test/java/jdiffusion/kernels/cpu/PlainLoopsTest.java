package jdiffusion.kernels.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Random;
import jdiffusion.tensor.FloatFormat;
import org.junit.jupiter.api.Test;

/**
 * The plain loops that stand in for vector loops while these are being compiled must give the same bits, or a picture
 * would depend on how fast the compiler is.
 */
class PlainLoopsTest {
    private final Random random = new Random(11);

    private float[] normals(int size, double scale) {
        float[] values = new float[size];
        for (int i = 0; i < size; i++) {
            values[i] = (float) (random.nextGaussian() * scale);
        }
        return values;
    }

    private static int[] bits(float[] values) {
        int[] bits = new int[values.length];
        for (int i = 0; i < bits.length; i++) {
            bits[i] = Float.floatToIntBits(values[i]);
        }
        return bits;
    }

    private static int[] rawBits(float[] values) {
        int[] bits = new int[values.length];
        MemorySegment.ofArray(bits).copyFrom(MemorySegment.ofArray(values));
        return bits;
    }

    @Test
    void products() {
        for (int k : new int[] {2, 6, 64, 130}) {
            int stride = k + 5;
            float[] a = normals(MicroKernel.MR * stride + 3, 1);
            float[] b = normals(k * MicroKernel.NR + 7, 1);
            float[] start = normals(MicroKernel.TILE + 2, 1);
            float[] vectors = start.clone();
            float[] plain = start.clone();
            MicroKernel.vectors(k, a, 3, stride, b, 7, vectors, 2);
            MicroKernel.plain(k, a, 3, stride, b, 7, MicroKernel.NR, plain, 2);
            assertThat(bits(plain)).isEqualTo(bits(vectors));

            vectors = start.clone();
            plain = start.clone();
            MicroKernel.narrowVectors(k, a, 3, stride, b, 7, vectors, 2);
            MicroKernel.plain(k, a, 3, stride, b, 7, Simd.LANES, plain, 2);
            assertThat(bits(plain)).isEqualTo(bits(vectors));
        }
    }

    @Test
    void functions() {
        float[] special = {0, -0f, 1, -1, 0.93f, -0.9300001f, 4, -4.1f, 87, -87, -87.00001f, 89, 90, -104, -105,
            Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, Float.MIN_VALUE, -Float.MAX_VALUE};
        float[] x = normals(48 * Simd.LANES, 12);
        System.arraycopy(special, 0, x, 0, special.length);
        float[] silu = x.clone();
        float[] tanh = x.clone();
        float[] erf = x.clone();
        float[] quick = x.clone();
        float[] relu = x.clone();
        Pointwise.siluVectors(silu, 0, x.length);
        Pointwise.geluTanhVectors(tanh, 0, x.length);
        VectorMath.geluErf(erf, 0, x.length);
        Pointwise.quickGeluVectors(quick, 0, x.length);
        Pointwise.reluVectors(relu, 0, x.length);
        for (int i = 0; i < x.length; i++) {
            assertThat(Float.floatToIntBits(FloatMath.silu(x[i]))).as("silu " + x[i])
                    .isEqualTo(Float.floatToIntBits(silu[i]));
            assertThat(Float.floatToIntBits(FloatMath.geluTanh(x[i]))).as("gelu tanh " + x[i])
                    .isEqualTo(Float.floatToIntBits(tanh[i]));
            assertThat(Float.floatToIntBits(FloatMath.geluErf(x[i]))).as("gelu erf " + x[i])
                    .isEqualTo(Float.floatToIntBits(erf[i]));
            assertThat(Float.floatToIntBits(FloatMath.quickGelu(x[i]))).as("quick gelu " + x[i])
                    .isEqualTo(Float.floatToIntBits(quick[i]));
            assertThat(Float.floatToIntBits(FloatMath.relu(x[i]))).as("relu " + x[i])
                    .isEqualTo(Float.floatToIntBits(relu[i]));
        }
    }

    @Test
    void widening() {
        try (Arena arena = Arena.ofConfined()) {
            int n = 1 << 16;
            MemorySegment stored = arena.allocate(2L * n, 2);
            for (int i = 0; i < n; i++) {
                stored.set(ValueLayout.JAVA_SHORT, 2L * i, (short) i);
            }
            float[] bf16 = new float[n];
            float[] f16 = new float[n];
            assertThat(Widen.bf16Vectors(stored, 0, bf16, 0, n)).isEqualTo(n);
            assertThat(Widen.f16Vectors(stored, 0, f16, 0, n)).isEqualTo(n);
            for (int i = 0; i < n; i++) {
                float plain = Float.intBitsToFloat(i << 16);
                assertThat(Float.floatToIntBits(bf16[i])).isEqualTo(Float.floatToIntBits(plain));
                assertThat(Float.floatToIntBits(f16[i])).isEqualTo(
                        Float.floatToIntBits(Float.float16ToFloat((short) i)));
            }
        }
    }

    @Test
    void narrowing() {
        int[] low = {0, 1, 0x7fff, 0x8000, 0x8001, 0xffff};
        int n = low.length << 16;
        float[] values = new float[n];
        for (int i = 0; i < n; i++) {
            values[i] = Float.intBitsToFloat(i / low.length << 16 | low[i % low.length]);
        }
        short[] stored = new short[n];
        assertThat(Narrow.bf16Vectors(values, 0, MemorySegment.ofArray(stored), 0, n)).isEqualTo(n);
        short[] plain = new short[n];
        for (int i = 0; i < n; i++) {
            plain[i] = FloatFormat.floatToBf16(values[i]);
        }
        assertThat(stored).isEqualTo(plain);
    }

    @Test
    void narrowFloats() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment stored = bytes(arena, 256);
            float[] e4m3 = new float[256];
            float[] e5m2 = new float[256];
            assertThat(Widen.e4m3Vectors(stored, 0, e4m3, 0, 256)).isEqualTo(256);
            assertThat(Widen.e5m2Vectors(stored, 0, e5m2, 0, 256)).isEqualTo(256);
            float[] plain4 = new float[256];
            float[] plain5 = new float[256];
            for (int i = 0; i < 256; i++) {
                plain4[i] = FloatFormat.e4m3ToFloat(stored.get(ValueLayout.JAVA_BYTE, i));
                plain5[i] = FloatFormat.e5m2ToFloat(stored.get(ValueLayout.JAVA_BYTE, i));
            }
            assertThat(bits(e4m3)).isEqualTo(bits(plain4));
            assertThat(bits(e5m2)).isEqualTo(bits(plain5));
        }
    }

    private static MemorySegment bytes(Arena arena, int n) {
        MemorySegment stored = arena.allocate(n);
        for (int i = 0; i < n; i++) {
            stored.set(ValueLayout.JAVA_BYTE, i, (byte) (i * 37));
        }
        return stored;
    }

    @Test
    void codes() {
        float[][] results = new float[2][6 * 64];
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment stored = bytes(arena, 256);
            MemorySegment map = arena.allocate(64, 4);
            MemorySegment.copy(normals(16, 1), 0, map, ValueLayout.JAVA_FLOAT, 0, 16);
            for (boolean vectors : new boolean[] {false, true}) {
                float[] to = results[vectors ? 1 : 0];
                Codes.lookUp(vectors, stored, 3, map, 0.3f, to, 1, 4 * Codes.RUN);
                for (int i = 0; i < 64; i += Codes.RUN) {
                    Codes.signed(vectors, stored, i * 3L, -0.7f, to, 65 + i);
                    Codes.whole(vectors, stored, i + 5L, i / 8, 2, 2, 0.3f, 0.1f, to, 129 + i);
                    Codes.split(vectors, stored, i, 4, 4, i + 1, i / 16, 1, 16, 0.3f, -0.1f, to, 193 + i);
                    Codes.split(vectors, stored, i, 0, 4, 9L, 6, 2, 32, 0.3f, 0, to, 257 + i);
                    Codes.fiveBits(vectors, stored, i, 4, 0x89abcdef >>> i, 16, 0.3f, 0, to, 319 + i);
                }
            }
        }
        assertThat(bits(results[1])).isEqualTo(bits(results[0]));
        assertThat(Arrays.stream(bits(results[0])).filter(value -> value != 0).count()).isGreaterThan(300);
    }

    @Test
    void sumsOfScaledRows() {
        for (int n : new int[] {0, 5, 64, 150, 333}) {
            float[] rows = normals(7 * 340, 1);
            float[] factors = normals(9, 1);
            float[] vectors = normals(n + 4, 1);
            float[] plain = vectors.clone();
            MultiplyAdd.rows(7, factors, 2, rows, 3, 338, vectors, 2, n);
            for (int r = 0; r < 7; r++) {
                for (int i = 0; i < n; i++) {
                    plain[2 + i] += factors[2 + r] * rows[3 + r * 338 + i];
                }
            }
            assertThat(bits(vectors)).isEqualTo(bits(plain));
        }
    }

    private float[] normalsAndSpecial(int size) {
        float[] special = {0, -0f, Float.MIN_VALUE, -Float.MIN_VALUE, Float.MIN_NORMAL, -0x0.fffffep-126f,
            Float.NaN, Float.intBitsToFloat(0xff800001), Float.POSITIVE_INFINITY, -Float.MAX_VALUE,
            Float.intBitsToFloat(0x3f808000), Float.intBitsToFloat(0x3f818000), Float.intBitsToFloat(0xbf817fff)};
        float[] values = normals(size, 1);
        for (int i = 1; i < size; i += 2) {
            values[i] = special[i / 2 % special.length];
        }
        return values;
    }

    @Test
    void rowsOfLanes() {
        int width = Simd.LANES + 5;
        float[] from = normalsAndSpecial(24 * Simd.LANES + 1);
        float[][] to = new float[2][8 * width];
        LaneRows.copyPlain(8, from, 1, 3, to[0], 2, width);
        LaneRows.copyVectors(8, from, 1, 3, to[1], 2, width);
        assertThat(bits(to[1])).isEqualTo(bits(to[0]));
        assertThat(to[0][2 + 7 * width + 1]).isEqualTo(0f + from[1 + 21 * Simd.LANES + 1]);
        LaneRows.pairPlain(4, from, 1, 3, to[0], 2, width);
        LaneRows.pairVectors(4, from, 1, 3, to[1], 2, width);
        assertThat(rawBits(to[1])).isEqualTo(rawBits(to[0]));
        int[][] lists = {{2}, {0, 1}, {0, 1, 2}};
        float[][] sums = new float[2][24 * Simd.LANES];
        LaneRows.sumPlain(8, 3, lists, from, sums[0]);
        LaneRows.sumVectors(8, 3, lists, from, sums[1]);
        assertThat(bits(sums[1])).isEqualTo(bits(sums[0]));
        assertThat(bits(sums[0])).contains(bits(new float[] {from[9 * Simd.LANES] + from[10 * Simd.LANES]}));
    }

    /** Rows become the words that machine code makes of the same numbers one after the other. */
    @Test
    void rowsOfPairs() {
        try (Cpu cpu = InterpretedCpu.withPairs(1)) {
            float[] from = normalsAndSpecial(24 * Simd.LANES);
            float[] words = new float[4 * Simd.LANES];
            LaneRows.pairVectors(4, from, 0, 3, words, 0, Simd.LANES);
            float[] numbers = new float[cpu.products().padded(2 * words.length)];
            for (int i = 0; i < words.length; i++) {
                int first = (i / Simd.LANES * 6 * Simd.LANES) + i % Simd.LANES;
                numbers[2 * i] = 0f + from[first];
                numbers[2 * i + 1] = 0f + from[first + 3 * Simd.LANES];
            }
            float[] expected = new float[words.length];
            cpu.products().roundPairs(numbers, 2 * words.length, expected, 0);
            assertThat(rawBits(words)).isEqualTo(rawBits(expected));
        }
    }
}
