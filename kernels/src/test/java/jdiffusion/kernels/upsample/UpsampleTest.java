package jdiffusion.kernels.upsample;

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

class UpsampleTest {
    private static final Cpu CPU = new Cpu(2, Precision.F32);
    private final CpuUpsample upsample = new CpuUpsample(CPU);

    @AfterAll
    static void close() {
        CPU.close();
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = {"VAE_FIRST", "VAE_LAST"})
    void everyPixelBecomesASquare(UpsampleCase k) {
        float[] x = Samples.normal(1, (long) k.batch * k.h * k.w * k.c, 0, 1);
        Tensor out = Samples.view(new float[k.outSize()], k.batch, k.outH, k.outW, k.c);
        upsample.run(Samples.view(x, k.batch, k.h, k.w, k.c), out);
        assertThat(out.toArray()).isEqualTo(UpsampleReference.run(x, k.batch, k.h, k.w, k.c, k.outH, k.outW));
        Samples.assertGapsUntouched(out);
    }

    static Stream<Arguments> casesInNarrowForms() {
        return HostForm.with(
                EnumSet.complementOf(EnumSet.of(UpsampleCase.VAE_FIRST, UpsampleCase.VAE_LAST)).stream());
    }

    @ParameterizedTest
    @MethodSource("casesInNarrowForms")
    void bfloat16IsFloat32Rounded(UpsampleCase k, HostForm form) {
        float[] x = Samples.normal(1, (long) k.batch * k.h * k.w * k.c, 0, 1);
        Tensor want = Tensor.of(new float[k.outSize()], k.batch, k.outH, k.outW, k.c);
        upsample.run(Tensor.of(form.read(x), k.batch, k.h, k.w, k.c), want);
        Tensor out = form.output(k.batch, k.outH, k.outW, k.c);
        upsample.run(form.input(x, k.batch, k.h, k.w, k.c), out);
        form.assertWritten(out, want);
    }

    @Test
    void wrongShapesAreNamed() {
        Tensor x = Tensor.of(new float[12], 1, 2, 2, 3);
        Tensor out = Tensor.of(new float[24], 1, 4, 2, 3);
        assertThatIllegalArgumentException().isThrownBy(() -> upsample.run(x, out))
                .withMessageContainingAll("upsampleNearest", "[1, 2, 2, 3]", "[1, 4, 2, 3]");
        assertThatIllegalArgumentException().isThrownBy(() -> upsample.run(x.reshape(4, 3), out))
                .withMessageContainingAll("upsampleNearest", "[4, 3]", "[1, 4, 2, 3]");
        Tensor half = Samples.stored(DType.F16, new float[48], 1, 4, 4, 3);
        assertThatIllegalArgumentException().isThrownBy(() -> upsample.run(x, half))
                .withMessageContainingAll("upsampleNearest", "bfloat16", "F16[1, 4, 4, 3]");
    }
}
