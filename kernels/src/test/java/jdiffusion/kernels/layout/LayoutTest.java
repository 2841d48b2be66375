package jdiffusion.kernels.layout;

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

class LayoutTest {
    private static final Cpu CPU = new Cpu(2, Precision.F32);
    private final CpuLayout layout = new CpuLayout(CPU);

    @AfterAll
    static void close() {
        CPU.close();
    }

    @ParameterizedTest
    @CsvSource({"1, 1, 1, 1", "2, 3, 5, 7", "3, 16, 4, 6", "1, 63, 7, 2", "2, 65, 1, 9", "1, 3, 64, 33"})
    void bothDirectionsFollowTheIndices(int batch, int c, int h, int w) {
        float[] x = Samples.normal(1, (long) batch * c * h * w, 0, 1);
        Tensor last = Samples.view(new float[x.length], batch, h, w, c);
        layout.channelsLast(Samples.view(x, batch, c, h, w), last);
        assertThat(last.toArray()).isEqualTo(LayoutReference.channelsLast(x, batch, c, h, w));
        Samples.assertGapsUntouched(last);

        Tensor first = Samples.view(new float[x.length], batch, c, h, w);
        layout.channelsFirst(last, first);
        assertThat(first.toArray()).isEqualTo(x);
        Samples.assertGapsUntouched(first);
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
    }
}
