package jdiffusion.kernels.attention;

import static jdiffusion.kernels.attention.AttentionReference.assertSame;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.Arrays;
import java.util.List;
import jdiffusion.kernels.Samples;
import jdiffusion.kernels.cuda.KernelSource;
import jdiffusion.kernels.cuda.OnDevice;
import jdiffusion.kernels.cuda.TestDevice;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Attention by the kernel of compute capability 9.0. */
@OnDevice
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class CudaMappedAttentionTest {
    private static final int ALIGNED = 8;

    private TestDevice device;

    @BeforeAll
    void open() {
        device = TestDevice.sm90(DType.BF16, KernelSource.BUILT_IN, 0);
        assumeTrue(device.cuda().takesSm90(), "a card of another compute capability");
    }

    @AfterAll
    void close() {
        device.close();
    }

    @AfterEach
    void clear() {
        device.clear();
    }

    /** One tile of keys and several, whole and not, more rounds than stages; streams that only ask or are asked. */
    static List<AttentionCase> cases() {
        return List.of(
                AttentionCase.of(1, 2, 64, 1),
                AttentionCase.of(1, 1, 64, 128),
                AttentionCase.of(2, 2, 64, 193, 77).norm(DType.F32),
                AttentionCase.of(1, 1, 64, 700, 33).norm(DType.BF16).turned(0),
                AttentionCase.of(1, 1, 64, 130).scale(1).spread(30),
                AttentionCase.of(1, 2, 64, 20, 0, 137).silent(2),
                AttentionCase.cross(2, 1, 64, 260, 300));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void isAsCloseToTheDefinitionAsNaiveCode(AttentionCase problem) {
        PlacedAttention.check(device, problem, DType.BF16, ALIGNED);
        assertThat(device.cuda().kernelNames()).contains("attention_64_sm90_bf16");
    }

    @Test
    void takesFloat16() {
        PlacedAttention.check(device, AttentionCase.of(1, 2, 64, 100, 177).norm(DType.F32), DType.F16, ALIGNED);
        assertThat(device.cuda().kernelNames()).contains("attention_64_sm90_f16");
    }

    @Test
    void mayWriteOverQ() {
        AttentionCase problem = AttentionCase.of(1, 2, 64, 300, 77);
        PlacedAttention apart = PlacedAttention.of(device, problem, DType.BF16, ALIGNED, false);
        PlacedAttention inPlace = PlacedAttention.of(device, problem, DType.BF16, ALIGNED, true);
        apart.run();
        inPlace.run();
        assertSame(inPlace.outputs(), apart.outputs());
    }

    @Test
    void doesNotDependOnTheRestOfTheBatch() {
        AttentionCase problem = AttentionCase.of(3, 2, 64, 200, 33).norm(DType.F32);
        PlacedAttention all = PlacedAttention.of(device, problem, DType.BF16, ALIGNED, false);
        PlacedAttention one = PlacedAttention.of(device, problem, DType.BF16, ALIGNED, false).only(2);
        all.run();
        one.run();
        for (int s = 0; s < 2; s++) {
            int size = one.outputs().get(s).length;
            assertThat(one.outputs().get(s))
                    .isEqualTo(Arrays.copyOfRange(all.outputs().get(s), 2 * size, 3 * size));
        }
    }

    /** One key wins by far, in a later tile, so the answer is its value, and nothing overflows on the way. */
    @Test
    void survivesLogitsOfAnySize() {
        int n = 200;
        float[] q = new float[n * 64];
        float[] k = new float[n * 64];
        float[] v = new float[n * 64];
        Arrays.fill(q, 1e15f);
        for (int i = 0; i < n; i++) {
            Arrays.fill(k, i * 64, i * 64 + 64, i == 133 ? 1e15f : -1e15f * (i + 1));
            Arrays.fill(v, i * 64, i * 64 + 64, i);
        }
        Tensor out = device.empty(DType.BF16, 1, n, 64);
        new CudaAttention(device.cuda()).run(AttentionShape.of(1, 1, 64), List.of(AttentionStream.of(
                device.put(DType.BF16, q, 1, n, 64), device.put(DType.BF16, k, 1, n, 64),
                device.put(DType.BF16, v, 1, n, 64), out)), null);
        assertThat(device.get(out)).containsOnly(133f);
    }

    /** Masks, biases, counted keys, and rows that the TMA does not take. */
    @Test
    void othersRunTheKernelsOfAllCards() {
        device.close();
        try (TestDevice other = TestDevice.sm90(DType.BF16, KernelSource.BUILT_IN, 0)) {
            PlacedAttention.check(other, AttentionCase.of(1, 1, 64, 40).causal(), DType.BF16, ALIGNED);
            PlacedAttention.check(other, AttentionCase.of(1, 1, 64, 40).scale(1).biased(), DType.BF16, ALIGNED);
            PlacedAttention.check(other, AttentionCase.of(2, 1, 64, 40).counts(0, 9, 40), DType.BF16, ALIGNED);
            PlacedAttention.check(other, AttentionCase.of(1, 1, 64, 40), DType.BF16, 1);
            assertThat(other.cuda().kernelNames()).containsExactly("attention_64_bf16", "attention_plain_bf16");
        } finally {
            open();
        }
    }

    /** Whenever copies land and in whatever order warps run. */
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3})
    void theSeedChangesNothing(long seed) {
        assumeFalse(TestDevice.isReal(), "only the emulated device has seeds");
        float[] expected = run(device);
        device.close();
        try (TestDevice other = TestDevice.sm90(DType.BF16, KernelSource.BUILT_IN, seed)) {
            assertThat(run(other)).isEqualTo(expected);
        } finally {
            open();
        }
    }

    private static float[] run(TestDevice device) {
        int n = 600;
        Tensor x = device.put(DType.BF16, Samples.normal(1, n * 64, 0, 1), 1, n, 64);
        Tensor out = device.empty(DType.BF16, 1, n, 64);
        new CudaAttention(device.cuda()).run(AttentionShape.of(1, 1, 64), List.of(AttentionStream.of(x, x, x, out)),
                null);
        return device.get(out);
    }
}
