package jdiffusion.kernels.patchify;

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

class CudaPatchifyTest extends DeviceTest {
    private CudaPatchify patchify;

    @BeforeEach
    void create() {
        patchify = new CudaPatchify(device.cuda());
    }

    static Stream<Arguments> casesInAllForms() {
        return EnumSet.complementOf(EnumSet.of(PatchifyCase.LATENT)).stream()
                .flatMap(k -> Form.ALL.stream().map(form -> Arguments.of(k, form)));
    }

    @ParameterizedTest
    @MethodSource("casesInAllForms")
    void bothDirectionsFollowTheIndices(PatchifyCase k, Form form) {
        float[] x = Samples.normal(1, k.size(), 0, 1);
        Tensor rows = form.output(k.batch, k.tokens(), k.c * k.p * k.p);
        patchify.patchify(form.input(x, k.batch, k.c, k.h, k.w), k.p, rows);
        assertThat(result(rows))
                .isEqualTo(form.written(PatchifyReference.patchify(form.read(x), k.batch, k.c, k.h, k.w, k.p)));

        Tensor image = form.output(k.batch, k.c, k.h, k.w);
        patchify.unpatchify(form.input(x, k.batch, k.tokens(), k.c * k.p * k.p), k.p, image);
        assertThat(result(image))
                .isEqualTo(form.written(PatchifyReference.unpatchify(form.read(x), k.batch, k.c, k.h, k.w, k.p)));
    }

    @Test
    void wrongShapesAreNamed() {
        Tensor image = device.empty(DType.F32, 1, 2, 4, 6);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> patchify.patchify(image, 2, device.empty(DType.BF16, 6, 8)))
                .withMessageContainingAll("patchify", "[1, 2, 4, 6]", "[6, 8]");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> patchify.unpatchify(device.empty(DType.F32, 1, 6, 8), 1, image))
                .withMessageContainingAll("unpatchify", "side 1", "[1, 6, 8]", "[1, 2, 4, 6]");
    }
}
