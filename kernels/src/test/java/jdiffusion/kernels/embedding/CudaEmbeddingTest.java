package jdiffusion.kernels.embedding;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import jdiffusion.kernels.Samples;
import jdiffusion.kernels.cuda.CudaTransfer;
import jdiffusion.kernels.cuda.DeviceTest;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class CudaEmbeddingTest extends DeviceTest {
    private CudaEmbedding embedding;

    @BeforeEach
    void create() {
        embedding = new CudaEmbedding(device.cuda(), new CudaTransfer(device.cuda()));
    }

    static Stream<Arguments> tablesInAllForms() {
        return Stream.of(DType.F32, DType.F16, DType.BF16, DType.F8_E4M3, DType.F8_E5M2)
                .flatMap(type -> Form.ALL.stream().map(form -> Arguments.of(type, form)));
    }

    @ParameterizedTest
    @MethodSource("tablesInAllForms")
    void rowsComeFromTheTable(DType type, Form form) {
        for (int c : List.of(65, 140)) {
            Tensor table = Samples.view(type, 4, Samples.normal(1, 11 * c, 0, 1), 11, c);
            int[] ids = new int[50];
            Arrays.setAll(ids, i -> (i * i + 10) % 11);
            float[] before = form.written(Samples.normal(2, (long) ids.length * c, 0, 1));
            float[] want = new float[before.length];
            float[] sum = new float[before.length];
            for (int i = 0; i < want.length; i++) {
                want[i] = table.get(ids[i / c], i % c);
                sum[i] = before[i] + want[i];
            }
            Tensor idsThere = device.put(Samples.ids(ids));
            Tensor tableThere = device.put(table);
            Tensor stored = form.output(ids.length, c);
            Tensor added = device.put(Samples.view(form.out(), form.gap(), before, ids.length, c));
            embedding.embedding(idsThere, tableThere, false, stored);
            embedding.embedding(idsThere, tableThere, true, added);
            assertThat(result(stored)).isEqualTo(form.written(want));
            assertThat(result(added)).isEqualTo(form.written(sum));
        }
    }

    @Test
    void noIdsMeanRowsInOrder() {
        float[] table = Samples.normal(1, 9 * 7, 0, 1);
        Tensor out = device.empty(DType.F32, 5, 7);
        embedding.embedding(null, device.put(DType.F32, table, 9, 7), false, out);
        assertThat(device.get(out)).isEqualTo(Arrays.copyOf(table, 5 * 7));
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, 4, Integer.MAX_VALUE, Integer.MIN_VALUE})
    void anIdOutsideTheTableIsNamedAndNothingIsWritten(int id) {
        Tensor table = device.put(DType.F32, new float[8], 4, 2);
        Tensor out = device.put(DType.F32, new float[] {1, 1, 1, 1}, 2, 2);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> embedding.embedding(device.put(Samples.ids(3, id)), table, false, out))
                .withMessageContainingAll("embedding", String.valueOf(id), "row 1", "[4, 2]");
        assertThat(device.get(out)).containsOnly(1);
    }

    @Test
    void wrongOperandsAreNamed() {
        Tensor table = device.empty(DType.F32, 4, 2);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> embedding.embedding(null, table, false, device.empty(DType.BF16, 5, 2)))
                .withMessageContainingAll("embedding", "not 4", "[4, 2]", "[5, 2]");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> embedding.embedding(null, table, false, device.empty(DType.F8_E4M3, 2, 2)))
                .withMessageContainingAll("embedding", "F8_E4M3");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> embedding.timestepEmbedding(device.empty(DType.BF16, 2),
                        device.empty(DType.F32, 2, 4)))
                .withMessageContainingAll("timestepEmbedding", "float32", "BF16[2]");
    }

    /** As on the CPU: exponent, frequency and angle rounded to float32 each cost the angle 2^-24 of itself, or of 1. */
    @ParameterizedTest
    @ValueSource(ints = {2, 10, 256})
    void timestepsBecomeCosinesThenSines(int c) {
        float[] t = {0, 1, 999.7f, 1000, 500.25f, 8.9e-3f, -3, 1e6f};
        Tensor there = device.put(DType.F32, t, t.length);
        Tensor out = device.put(Samples.view(DType.F32, 1, new float[t.length * c], t.length, c));
        Tensor narrow = device.empty(DType.BF16, t.length, c);
        embedding.timestepEmbedding(there, out);
        embedding.timestepEmbedding(there, narrow);
        float[] actual = result(out);
        int half = c / 2;
        for (int r = 0; r < t.length; r++) {
            for (int i = 0; i < half; i++) {
                double exponent = -Math.log(10000) * i / half;
                double angle = t[r] * Math.exp(exponent);
                double allowed = 0x1p-24 * (Math.abs(angle) * (2 + 3 * Math.abs(exponent)) + 1);
                assertThat((double) actual[r * c + i]).isCloseTo(Math.cos(angle), within(allowed));
                assertThat((double) actual[r * c + half + i]).isCloseTo(Math.sin(angle), within(allowed));
            }
        }
        assertThat(device.get(narrow)).isEqualTo(Samples.rounded(DType.BF16, actual));
    }
}
