package jdiffusion.kernels.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
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
        Pointwise.siluVectors(silu, 0, x.length);
        Pointwise.geluTanhVectors(tanh, 0, x.length);
        Pointwise.geluErfVectors(erf, 0, x.length);
        Pointwise.quickGeluVectors(quick, 0, x.length);
        for (int i = 0; i < x.length; i++) {
            assertThat(Float.floatToIntBits(FloatMath.silu(x[i]))).as("silu " + x[i])
                    .isEqualTo(Float.floatToIntBits(silu[i]));
            assertThat(Float.floatToIntBits(FloatMath.geluTanh(x[i]))).as("gelu tanh " + x[i])
                    .isEqualTo(Float.floatToIntBits(tanh[i]));
            assertThat(Float.floatToIntBits(FloatMath.geluErf(x[i]))).as("gelu erf " + x[i])
                    .isEqualTo(Float.floatToIntBits(erf[i]));
            assertThat(Float.floatToIntBits(FloatMath.quickGelu(x[i]))).as("quick gelu " + x[i])
                    .isEqualTo(Float.floatToIntBits(quick[i]));
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
}
