package jdiffusion.kernels.rmsnorm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

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

class CudaRmsNormTest extends DeviceTest {
    private static final float EPS = 1e-6f;
    private CudaRmsNorm norm;

    @BeforeEach
    void create() {
        norm = new CudaRmsNorm(device.cuda());
    }

    static Stream<Arguments> casesInAllForms() {
        return EnumSet.complementOf(EnumSet.of(RmsNormCase.T5)).stream().flatMap(k -> Form.ALL.stream()
                .filter(form -> k != RmsNormCase.LARGE_VALUES || form.in() != DType.F16)
                .map(form -> Arguments.of(k, form)));
    }

    @ParameterizedTest
    @MethodSource("casesInAllForms")
    void followsTheFormula(RmsNormCase k, Form form) {
        Tensor out = form.output(k.rows, k.c);
        norm.run(form.input(k.x(), k.rows, k.c), device.put(k.weight), EPS, out);
        float[] x = form.read(k.x());
        Samples.assertAsGoodAsNaive(result(out), form.written(RmsNormReference.naive(x, k.c, k.weight, EPS)),
                RmsNormReference.exact(x, k.c, k.weight, EPS));
    }

    @Test
    void takesTheRowsOfT5() {
        RmsNormCase k = RmsNormCase.T5;
        int rows = 8;
        float[] x = Samples.normal(2, (long) rows * k.c, 0.1, 20);
        Tensor out = device.empty(DType.F32, rows, k.c);
        norm.run(device.put(DType.F32, x, rows, k.c), device.put(k.weight), EPS, out);
        Samples.assertAsGoodAsNaive(device.get(out), RmsNormReference.naive(x, k.c, k.weight, EPS),
                RmsNormReference.exact(x, k.c, k.weight, EPS));
    }

    @ParameterizedTest
    @EnumSource(names = {"RAGGED_64", "RAGGED_65"})
    void mayWriteOverX(RmsNormCase k) {
        Tensor weight = device.put(k.weight);
        Tensor x = device.put(Samples.view(DType.BF16, 4, k.x(), k.rows, k.c));
        Tensor out = device.put(Samples.view(DType.BF16, 4, k.x(), k.rows, k.c));
        norm.run(x, weight, EPS, out);
        norm.run(x, weight, EPS, x);
        assertThat(result(x)).isEqualTo(result(out));
    }

    @Test
    void wrongOperandsAreNamed() {
        Tensor x = device.empty(DType.BF16, 3, 4);
        Tensor weight = device.empty(DType.F8_E4M3, 4);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> norm.run(x, weight, EPS, device.empty(DType.BF16, 2, 4)))
                .withMessageContainingAll("rmsNorm", "[3, 4]", "[2, 4]");
        assertThatIllegalArgumentException().isThrownBy(() -> norm.run(device.empty(DType.I32, 3, 4), weight, EPS, x))
                .withMessageContainingAll("rmsNorm", "I32[3, 4]");
    }
}
