package jdiffusion.kernels.upsample;

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
import org.junit.jupiter.params.provider.MethodSource;

class CudaUpsampleTest extends DeviceTest {
    private CudaUpsample upsample;

    @BeforeEach
    void create() {
        upsample = new CudaUpsample(device.cuda());
    }

    static Stream<Arguments> casesInAllForms() {
        return EnumSet.complementOf(EnumSet.of(UpsampleCase.VAE_FIRST, UpsampleCase.VAE_LAST)).stream()
                .flatMap(k -> Form.ALL.stream().map(form -> Arguments.of(k, form)));
    }

    @ParameterizedTest
    @MethodSource("casesInAllForms")
    void everyPixelBecomesASquare(UpsampleCase k, Form form) {
        check(k.batch, k.h, k.w, k.c, k.outH, k.outW, form);
    }

    @ParameterizedTest
    @MethodSource("forms")
    void channelsInFours(Form form) {
        check(2, 3, 5, 136, 6, 10, form);
        check(2, 3, 5, 136, 5, 9, form);
    }

    static Stream<Form> forms() {
        return Form.ALL.stream();
    }

    private void check(int batch, int h, int w, int c, int outH, int outW, Form form) {
        float[] x = Samples.normal(1, (long) batch * h * w * c, 0, 1);
        Tensor out = form.output(batch, outH, outW, c);
        upsample.run(form.input(x, batch, h, w, c), out);
        assertThat(result(out))
                .isEqualTo(form.written(UpsampleReference.run(form.read(x), batch, h, w, c, outH, outW)));
    }

    @Test
    void wrongShapesAreNamed() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> upsample.run(device.empty(DType.BF16, 1, 2, 2, 3),
                        device.empty(DType.BF16, 1, 4, 2, 3)))
                .withMessageContainingAll("upsampleNearest", "[1, 2, 2, 3]", "[1, 4, 2, 3]");
    }
}
