package jdiffusion.kernels.layout;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.EnumSet;
import java.util.stream.Stream;
import jdiffusion.kernels.HostForm;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.Samples;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class LayoutTest {
    private static final Cpu CPU = new Cpu(2, Precision.F32);
    private final CpuLayout layout = new CpuLayout(CPU);

    @AfterAll
    static void close() {
        CPU.close();
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "PICTURE")
    void bothDirectionsFollowTheIndices(LayoutCase k) {
        float[] x = Samples.normal(1, k.size(), 0, 1);
        Tensor last = Samples.view(new float[x.length], k.batch, k.h, k.w, k.c);
        layout.channelsLast(Samples.view(x, k.batch, k.c, k.h, k.w), last);
        assertThat(last.toArray()).isEqualTo(LayoutReference.channelsLast(x, k.batch, k.c, k.h, k.w));
        Samples.assertGapsUntouched(last);

        Tensor first = Samples.view(new float[x.length], k.batch, k.c, k.h, k.w);
        layout.channelsFirst(last, first);
        assertThat(first.toArray()).isEqualTo(x);
        Samples.assertGapsUntouched(first);
    }

    static Stream<Arguments> casesInNarrowForms() {
        return HostForm.with(EnumSet.complementOf(EnumSet.of(LayoutCase.LATENT, LayoutCase.PICTURE)).stream());
    }

    @ParameterizedTest
    @MethodSource("casesInNarrowForms")
    void bfloat16IsFloat32Rounded(LayoutCase k, HostForm form) {
        float[] x = Samples.normal(1, k.size(), 0, 1);
        Tensor want = Tensor.of(new float[x.length], k.batch, k.h, k.w, k.c);
        layout.channelsLast(Tensor.of(form.read(x), k.batch, k.c, k.h, k.w), want);
        Tensor last = form.output(k.batch, k.h, k.w, k.c);
        layout.channelsLast(form.input(x, k.batch, k.c, k.h, k.w), last);
        form.assertWritten(last, want);

        Tensor first = form.output(k.batch, k.c, k.h, k.w);
        layout.channelsFirst(form.input(want.toArray(), k.batch, k.h, k.w, k.c), first);
        form.assertWritten(first, Tensor.of(form.read(x), x.length));
    }

    @Test
    void wrongShapesAreNamed() {
        Tensor first = Tensor.of(new float[24], 1, 2, 3, 4);
        Tensor last = Tensor.of(new float[24], 1, 4, 3, 2);
        assertThatIllegalArgumentException().isThrownBy(() -> layout.channelsLast(first, last))
                .withMessageContainingAll("channelsLast", "[1, 2, 3, 4]", "[1, 4, 3, 2]");
        assertThatIllegalArgumentException().isThrownBy(() -> layout.channelsFirst(last, first))
                .withMessageContainingAll("channelsFirst", "[1, 2, 3, 4]", "[1, 4, 3, 2]");
        assertThatIllegalArgumentException().isThrownBy(() -> layout.channelsFirst(last.reshape(12, 2), first))
                .withMessageContainingAll("channelsFirst", "[12, 2]", "[1, 2, 3, 4]");
        Tensor half = Samples.stored(DType.F16, new float[24], 1, 3, 4, 2);
        assertThatIllegalArgumentException().isThrownBy(() -> layout.channelsLast(first, half))
                .withMessageContainingAll("channelsLast", "bfloat16", "F16[1, 3, 4, 2]");
        assertThatIllegalArgumentException().isThrownBy(() -> layout.channelsFirst(half, first))
                .withMessageContainingAll("channelsFirst", "bfloat16", "F16[1, 3, 4, 2]");
    }
}
