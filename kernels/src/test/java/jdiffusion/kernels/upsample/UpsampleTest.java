package jdiffusion.kernels.upsample;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import jdiffusion.kernels.Precision;
import jdiffusion.kernels.Samples;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.tensor.Tensor;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

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
        Tensor out = Samples.view(new float[4 * x.length], k.batch, 2 * k.h, 2 * k.w, k.c);
        upsample.run(Samples.view(x, k.batch, k.h, k.w, k.c), out);
        assertThat(out.toArray()).isEqualTo(UpsampleReference.run(x, k.batch, k.h, k.w, k.c));
        Samples.assertGapsUntouched(out);
    }

    @Test
    void wrongShapesAreNamed() {
        Tensor x = Tensor.of(new float[12], 1, 2, 2, 3);
        Tensor out = Tensor.of(new float[36], 1, 4, 3, 3);
        assertThatIllegalArgumentException().isThrownBy(() -> upsample.run(x, out))
                .withMessageContainingAll("upsampleNearest", "[1, 2, 2, 3]", "[1, 4, 3, 3]");
        assertThatIllegalArgumentException().isThrownBy(() -> upsample.run(x.reshape(4, 3), out))
                .withMessageContainingAll("upsampleNearest", "[4, 3]", "[1, 4, 3, 3]");
    }
}
