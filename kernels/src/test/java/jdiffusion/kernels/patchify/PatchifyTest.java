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
import org.junit.jupiter.params.provider.EnumSource;

class PatchifyTest {
    private static final Cpu CPU = new Cpu(2, Precision.F32);
    private final CpuPatchify patchify = new CpuPatchify(CPU);

    @AfterAll
    static void close() {
        CPU.close();
    }

    @ParameterizedTest
    @EnumSource
    void bothDirectionsFollowTheIndices(PatchifyCase k) {
        float[] x = Samples.normal(1, k.size(), 0, 1);
        Tensor rows = Samples.view(new float[x.length], k.batch, k.tokens(), k.c * k.p * k.p);
        patchify.patchify(Samples.view(x, k.batch, k.c, k.h, k.w), k.p, rows);
        assertThat(rows.toArray()).isEqualTo(PatchifyReference.patchify(x, k.batch, k.c, k.h, k.w, k.p));
        Samples.assertGapsUntouched(rows);

        Tensor image = Samples.view(new float[x.length], k.batch, k.c, k.h, k.w);
        patchify.unpatchify(rows, k.p, image);
        assertThat(image.toArray())
                .isEqualTo(PatchifyReference.unpatchify(rows.toArray(), k.batch, k.c, k.h, k.w, k.p));
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
