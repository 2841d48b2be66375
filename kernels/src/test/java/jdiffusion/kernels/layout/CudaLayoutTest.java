package jdiffusion.kernels.layout;

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

class CudaLayoutTest extends DeviceTest {
    private CudaLayout layout;

    @BeforeEach
    void create() {
        layout = new CudaLayout(device.cuda());
    }

    static Stream<Arguments> casesInAllForms() {
        return EnumSet.complementOf(EnumSet.of(LayoutCase.LATENT, LayoutCase.PICTURE)).stream()
                .flatMap(k -> Form.ALL.stream().map(form -> Arguments.of(k, form)));
    }

    @ParameterizedTest
    @MethodSource("casesInAllForms")
    void bothDirectionsFollowTheIndices(LayoutCase k, Form form) {
        check(k.batch, k.c, k.h, k.w, form);
    }

    @ParameterizedTest
    @MethodSource("forms")
    void latents(Form form) {
        check(2, 16, 3, 128, form);
    }

    static Stream<Form> forms() {
        return Form.ALL.stream();
    }

    private void check(int batch, int c, int h, int w, Form form) {
        float[] x = Samples.normal(1, (long) batch * c * h * w, 0, 1);
        float[] moved = LayoutReference.channelsLast(x, batch, c, h, w);
        Tensor last = form.output(batch, h, w, c);
        layout.channelsLast(form.input(x, batch, c, h, w), last);
        assertThat(result(last)).isEqualTo(form.written(form.read(moved)));

        Tensor first = form.output(batch, c, h, w);
        layout.channelsFirst(form.input(moved, batch, h, w, c), first);
        assertThat(result(first)).isEqualTo(form.written(form.read(x)));
    }

    @Test
    void wrongShapesAreNamed() {
        Tensor first = device.empty(DType.F32, 1, 2, 3, 4);
        Tensor last = device.empty(DType.BF16, 1, 4, 3, 2);
        assertThatIllegalArgumentException().isThrownBy(() -> layout.channelsLast(first, last))
                .withMessageContainingAll("channelsLast", "[1, 2, 3, 4]", "[1, 4, 3, 2]");
        assertThatIllegalArgumentException().isThrownBy(() -> layout.channelsFirst(last, first))
                .withMessageContainingAll("channelsFirst", "[1, 2, 3, 4]", "[1, 4, 3, 2]");
    }
}
