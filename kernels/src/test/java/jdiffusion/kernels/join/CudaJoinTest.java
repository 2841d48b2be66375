package jdiffusion.kernels.join;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.EnumSet;
import java.util.stream.Stream;
import jdiffusion.kernels.Samples;
import jdiffusion.kernels.cuda.DeviceTest;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class CudaJoinTest extends DeviceTest {
    static Stream<Arguments> casesInAllForms() {
        return EnumSet.complementOf(EnumSet.of(JoinCase.UNET_FIRST, JoinCase.UNET_LAST)).stream()
                .flatMap(k -> Form.ALL.stream().map(form -> Arguments.of(k, form)));
    }

    @ParameterizedTest
    @MethodSource("casesInAllForms")
    void oneBehindTheOther(JoinCase k, Form form) {
        float[] a = Samples.normal(1, (long) k.pixels() * k.a, 0, 1);
        float[] b = Samples.normal(2, (long) k.pixels() * k.b, 0, 1);
        Tensor out = form.output(k.batch, k.h, k.w, k.a + k.b);
        new CudaJoin(device.cuda()).run(form.input(a, k.batch, k.h, k.w, k.a), form.input(b, k.batch, k.h, k.w, k.b),
                out);
        assertThat(result(out)).isEqualTo(form.written(JoinReference.run(form.read(a), form.read(b), k)));
    }

    @Test
    void wrongShapesAreNamed() {
        Tensor a = device.empty(DType.F32, 1, 2, 2, 3);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new CudaJoin(device.cuda()).run(a, a, device.empty(DType.F32, 1, 2, 2, 5)))
                .withMessageContainingAll("joinChannels", "[1, 2, 2, 3]", "[1, 2, 2, 5]");
    }
}
