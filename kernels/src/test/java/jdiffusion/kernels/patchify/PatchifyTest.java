package jdiffusion.kernels.patchify;

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

class PatchifyTest {
    private static final Cpu CPU = new Cpu(2, Precision.F32);
    private final CpuPatchify patchify = new CpuPatchify(CPU);

    @AfterAll
    static void close() {
        CPU.close();
    }

    @ParameterizedTest
    @CsvSource({"1, 1, 1, 1, 1", "2, 3, 4, 6, 2", "3, 16, 10, 2, 2", "1, 5, 9, 6, 3", "2, 4, 3, 5, 1",
        "2, 16, 32, 48, 2"})
    void bothDirectionsFollowTheIndices(int batch, int c, int h, int w, int p) {
        float[] x = Samples.normal(1, (long) batch * c * h * w, 0, 1);
        int tokens = (h / p) * (w / p);
        Tensor rows = Samples.view(new float[x.length], batch, tokens, c * p * p);
        patchify.patchify(Samples.view(x, batch, c, h, w), p, rows);
        assertThat(rows.toArray()).isEqualTo(PatchifyReference.patchify(x, batch, c, h, w, p));
        Samples.assertGapsUntouched(rows);

        Tensor image = Samples.view(new float[x.length], batch, c, h, w);
        patchify.unpatchify(rows, p, image);
        assertThat(image.toArray()).isEqualTo(PatchifyReference.unpatchify(rows.toArray(), batch, c, h, w, p));
        Samples.assertGapsUntouched(image);
    }

    @Test
    void wrongShapesAreNamed() {
        Tensor image = Tensor.of(new float[48], 1, 2, 4, 6);
        Tensor odd = Tensor.of(new float[40], 1, 2, 4, 5);
        Tensor rows = Tensor.of(new float[48], 1, 6, 8);
        assertThatIllegalArgumentException().isThrownBy(() -> patchify.patchify(odd, 2, rows))
                .withMessageContainingAll("patchify", "side 2", "[1, 2, 4, 5]", "[1, 6, 8]");
        assertThatIllegalArgumentException().isThrownBy(() -> patchify.patchify(image, 2, rows.reshape(6, 8)))
                .withMessageContainingAll("patchify", "[1, 2, 4, 6]", "[6, 8]");
        assertThatIllegalArgumentException().isThrownBy(() -> patchify.unpatchify(rows, 1, image))
                .withMessageContainingAll("unpatchify", "side 1", "[1, 6, 8]", "[1, 2, 4, 6]");
        assertThatIllegalArgumentException().isThrownBy(() -> patchify.patchify(image, 0, rows))
                .withMessageContaining("side 0");
    }
}
