package jdiffusion.kernels.layernorm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.Arrays;
import java.util.EnumSet;
import java.util.stream.Stream;
import jdiffusion.kernels.Samples;
import jdiffusion.kernels.cuda.DeviceTest;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class CudaLayerNormTest extends DeviceTest {
    private static final float EPS = 1e-6f;
    private CudaLayerNorm norm;

    @BeforeEach
    void create() {
        norm = new CudaLayerNorm(device.cuda());
    }

    static Stream<Arguments> casesInAllForms() {
        return EnumSet.complementOf(EnumSet.of(LayerNormCase.MMDIT_TEXT, LayerNormCase.MMDIT_IMAGE)).stream()
                .flatMap(k -> Form.ALL.stream().map(form -> Arguments.of(k, form)));
    }

    @ParameterizedTest
    @MethodSource("casesInAllForms")
    void followsTheFormula(LayerNormCase k, Form form) {
        Tensor out = form.output(k.rows, k.c);
        norm.run(form.input(k.x(), k.rows, k.c), put(k.weight), put(k.bias), put(k.scale()), put(k.shift()), EPS, out);
        check(k, form, k.scale(), k.shift(), result(out));
    }

    private static void check(LayerNormCase k, Form form, Tensor scale, Tensor shift, float[] actual) {
        float[] x = form.read(k.x());
        Samples.assertAsGoodAsNaive(actual,
                form.written(LayerNormReference.naive(x, k.c, k.weight, k.bias, scale, shift, EPS)),
                LayerNormReference.exact(x, k.c, k.weight, k.bias, scale, shift, EPS));
    }

    private static Tensor put(Tensor host) {
        return host == null ? null : device.put(host);
    }

    @ParameterizedTest
    @EnumSource(names = {"RAGGED_64", "MANY_ROWS", "FAR_FROM_ZERO"})
    void oneNormIsModulatedTwice(LayerNormCase k) {
        for (Form form : Form.ALL) {
            Tensor x = form.input(k.x(), k.rows, k.c);
            Tensor out1 = form.output(k.rows, k.c);
            Tensor out2 = form.output(k.rows, k.c);
            norm.run2(x, put(k.scale()), put(k.shift()), out1, put(k.shift()), put(k.scale()), out2, EPS);
            check(k, form, k.scale(), k.shift(), result(out1));
            check(k, form, k.shift(), k.scale(), result(out2));
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"RAGGED_64", "RAGGED_65", "CLIP"})
    void mayWriteOverX(LayerNormCase k) {
        Tensor x = device.put(Samples.view(DType.F32, 4, k.x(), k.rows, k.c));
        Tensor out = device.put(Samples.view(DType.F32, 4, k.x(), k.rows, k.c));
        norm.run(x, put(k.weight), put(k.bias), put(k.scale()), put(k.shift()), EPS, out);
        norm.run(x, put(k.weight), put(k.bias), put(k.scale()), put(k.shift()), EPS, x);
        assertThat(result(x)).isEqualTo(result(out));
    }

    @Test
    void anEntryDoesNotDependOnItsNeighboursInTheBatch() {
        LayerNormCase k = LayerNormCase.RAGGED_65;
        Tensor scale = put(k.scale());
        Tensor shift = put(k.shift());
        Tensor all = device.put(DType.F32, k.x(), k.rows, k.c);
        Tensor last = device.put(DType.F32, k.x(), k.rows, k.c).slice(6, 9);
        norm.run(all, null, null, scale, shift, EPS, all);
        norm.run(last, null, null, scale.slice(2, 3), shift.slice(2, 3), EPS, last);
        assertThat(device.get(last)).isEqualTo(Arrays.copyOfRange(device.get(all), 6 * k.c, 9 * k.c));
    }

    @Test
    void rowsWiderThanABlocksUsualSharedMemory() {
        int c = 14000;
        float[] x = Samples.normal(1, 2L * c, 3, 2);
        Tensor out = device.empty(DType.F32, 2, c);
        norm.run(device.put(DType.F32, x, 2, c), null, null, null, null, EPS, out);
        Samples.assertAsGoodAsNaive(device.get(out), LayerNormReference.naive(x, c, null, null, null, null, EPS),
                LayerNormReference.exact(x, c, null, null, null, null, EPS));
    }

    @Test
    void noRowsAreNothingToDo() {
        Tensor none = device.empty(DType.F32, 0, 4);
        norm.run(none, null, null, null, null, EPS, none);
    }

    @Test
    void wrongOperandsAreNamed() {
        Tensor x = device.empty(DType.BF16, 6, 4);
        Tensor narrow = device.empty(DType.BF16, 2, 4);
        Tensor two = device.empty(DType.F32, 2, 4);
        Tensor three = device.empty(DType.F32, 3, 4);
        assertThatIllegalArgumentException().isThrownBy(() -> norm.run(x, null, null, narrow, narrow, EPS, x))
                .withMessageContainingAll("layerNorm", "float32", "BF16[2, 4]");
        assertThatIllegalArgumentException().isThrownBy(() -> norm.run(x, null, null, null, null, EPS, two))
                .withMessageContainingAll("layerNorm", "[6, 4]", "[2, 4]");
        assertThatIllegalArgumentException().isThrownBy(() -> norm.run2(x, two, two, x, three, three, x, EPS))
                .withMessageContainingAll("layerNorm", "[2, 4]", "[3, 4]");
    }
}
