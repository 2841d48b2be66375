package jdiffusion.kernels.embedding;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.Samples;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class EmbeddingTest {
    private static final Cpu CPU = new Cpu(2, Precision.F32);
    private final CpuEmbedding embedding = new CpuEmbedding(CPU);

    @AfterAll
    static void close() {
        CPU.close();
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"})
    void rowsComeFromTheTable(DType type) {
        int c = 65;
        Tensor table = Samples.stored(type, Samples.normal(1, 11 * c, 0, 1), 11, c);
        int[] ids = new int[700];
        Arrays.setAll(ids, i -> (i * i + 10) % 11);
        float[] before = Samples.normal(2, (long) ids.length * c, 0, 1);
        Tensor stored = Samples.view(before, ids.length, c);
        Tensor added = Samples.view(before, ids.length, c);
        embedding.embedding(Samples.ids(ids), table, false, stored);
        embedding.embedding(Samples.ids(ids), table, true, added);
        for (int r = 0; r < ids.length; r++) {
            for (int i = 0; i < c; i++) {
                float want = table.get(ids[r], i);
                assertThat(stored.get(r, i)).isEqualTo(want);
                assertThat(added.get(r, i)).isEqualTo(before[r * c + i] + want);
            }
        }
        Samples.assertGapsUntouched(stored);
        Samples.assertGapsUntouched(added);
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "F16", "BF16"})
    void rowsAreRoundedToBfloat16(DType type) {
        int c = 65;
        Tensor table = Samples.stored(type, Samples.normal(1, 11 * c, 0, 1), 11, c);
        int[] ids = new int[300];
        Arrays.setAll(ids, i -> (i * i + 10) % 11);
        float[] before = Samples.normal(2, (long) ids.length * c, 0, 1);
        Tensor wideStored = Tensor.of(before.clone(), ids.length, c);
        Tensor wideAdded = Tensor.of(Samples.rounded(DType.BF16, before), ids.length, c);
        embedding.embedding(Samples.ids(ids), table, false, wideStored);
        embedding.embedding(Samples.ids(ids), table, true, wideAdded);
        Tensor stored = Samples.view(DType.BF16, 3, before, ids.length, c);
        Tensor added = Samples.view(DType.BF16, 3, before, ids.length, c);
        embedding.embedding(Samples.ids(ids), table, false, stored);
        embedding.embedding(Samples.ids(ids), table, true, added);
        assertThat(stored.toArray()).isEqualTo(Samples.rounded(DType.BF16, wideStored.toArray()));
        assertThat(added.toArray()).isEqualTo(Samples.rounded(DType.BF16, wideAdded.toArray()));
        Samples.assertGapsUntouched(stored);
        Samples.assertGapsUntouched(added);
    }

    @Test
    void noIdsMeanRowsInOrderOfATableThatMayBeAView() {
        Tensor table = Samples.view(Samples.normal(1, 9 * 7, 0, 1), 9, 7);
        Tensor out = Tensor.of(new float[5 * 7], 5, 7);
        embedding.embedding(null, table, false, out);
        assertThat(out.toArray()).isEqualTo(table.slice(0, 5).toArray());
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, 4, Integer.MAX_VALUE, Integer.MIN_VALUE, 16777217})
    void anIdOutsideTheTableIsNamedAndNothingIsWritten(int id) {
        Tensor table = Tensor.of(new float[] {1, 2, 3, 4, 5, 6, 7, 8}, 4, 2);
        Tensor out = Tensor.of(new float[4], 2, 2);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> embedding.embedding(Samples.ids(3, id), table, false, out))
                .withMessageContainingAll("embedding", String.valueOf(id), "row 1", "[4, 2]");
        assertThat(out.toArray()).containsOnly(0);
    }

    @Test
    void wrongShapesAreNamed() {
        Tensor table = Tensor.of(new float[8], 4, 2);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> embedding.embedding(null, table, false, Tensor.of(new float[10], 5, 2)))
                .withMessageContainingAll("embedding", "not 4", "[4, 2]", "[5, 2]");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> embedding.embedding(null, table, false, Tensor.of(new float[6], 2, 3)))
                .withMessageContainingAll("embedding", "[4, 2]", "[2, 3]");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> embedding.embedding(Samples.ids(1, 1, 1), table, false,
                        Tensor.of(new float[4], 2, 2)))
                .withMessageContainingAll("embedding", "I32[3]", "[2, 2]");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> embedding.timestepEmbedding(Tensor.of(new float[2], 2),
                        Tensor.of(new float[6], 2, 3)))
                .withMessageContainingAll("timestepEmbedding", "[2]", "[2, 3]");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> embedding.timestepEmbedding(Tensor.of(new float[3], 3),
                        Tensor.of(new float[8], 2, 4)))
                .withMessageContainingAll("timestepEmbedding", "[3]", "[2, 4]");
        Tensor half = Samples.stored(DType.F16, new float[4], 2, 2);
        assertThatIllegalArgumentException().isThrownBy(() -> embedding.embedding(null, table, false, half))
                .withMessageContainingAll("embedding", "bfloat16", "F16[2, 2]");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> embedding.timestepEmbedding(Tensor.of(new float[2], 2), half))
                .withMessageContainingAll("timestepEmbedding", "bfloat16", "F16[2, 2]");
    }

    /** An exponent, a frequency and an angle rounded to float32 each cost the angle up to 2^-24 of itself, or of 1. */
    @ParameterizedTest
    @ValueSource(ints = {2, 10, 256})
    void timestepsBecomeCosinesThenSines(int c) {
        float[] t = {0, 1, 999.7f, 1000, 500.25f, 8.9e-3f};
        Tensor out = Samples.view(new float[t.length * c], t.length, c);
        Tensor narrow = Samples.view(DType.BF16, 3, new float[t.length * c], t.length, c);
        embedding.timestepEmbedding(Tensor.of(t, t.length), out);
        embedding.timestepEmbedding(Tensor.of(t, t.length), narrow);
        int half = c / 2;
        for (int r = 0; r < t.length; r++) {
            for (int i = 0; i < half; i++) {
                double exponent = -Math.log(10000) * i / half;
                double angle = t[r] * Math.exp(exponent);
                double allowed = 0x1p-24 * (angle * (2 + 3 * Math.abs(exponent)) + 1);
                assertThat((double) out.get(r, i)).isCloseTo(Math.cos(angle), within(allowed));
                assertThat((double) out.get(r, half + i)).isCloseTo(Math.sin(angle), within(allowed));
            }
        }
        Samples.assertGapsUntouched(out);
        assertThat(narrow.toArray()).isEqualTo(Samples.rounded(DType.BF16, out.toArray()));
        Samples.assertGapsUntouched(narrow);
    }
}
