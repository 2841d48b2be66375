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
import org.junit.jupiter.params.provider.CsvSource;

class UpsampleTest {
    private static final Cpu CPU = new Cpu(2, Precision.F32);
    private final CpuUpsample upsample = new CpuUpsample(CPU);

    @AfterAll
    static void close() {
        CPU.close();
    }

    @ParameterizedTest
    @CsvSource({"1, 1, 1, 1", "2, 3, 5, 1", "3, 4, 3, 5", "1, 7, 2, 63", "2, 5, 9, 65", "1, 16, 16, 512"})
    void everyPixelBecomesASquare(int batch, int h, int w, int c) {
        float[] x = Samples.normal(1, (long) batch * h * w * c, 0, 1);
        Tensor out = Samples.view(new float[4 * x.length], batch, 2 * h, 2 * w, c);
        upsample.run(Samples.view(x, batch, h, w, c), out);
        assertThat(out.toArray()).isEqualTo(UpsampleReference.run(x, batch, h, w, c));
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
