package jdiffusion.kernels.patchify;

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

    static Stream<Arguments> casesInNarrowForms() {
        return HostForm.with(EnumSet.complementOf(EnumSet.of(PatchifyCase.LATENT)).stream());
    }

    @ParameterizedTest
    @MethodSource("casesInNarrowForms")
    void bfloat16IsFloat32Rounded(PatchifyCase k, HostForm form) {
        float[] x = Samples.normal(1, k.size(), 0, 1);
        int[] image = {k.batch, k.c, k.h, k.w};
        int[] rows = {k.batch, k.tokens(), k.c * k.p * k.p};
        Tensor wantRows = Tensor.of(new float[x.length], rows);
        patchify.patchify(Tensor.of(form.read(x), image), k.p, wantRows);
        Tensor outRows = form.output(rows);
        patchify.patchify(form.input(x, image), k.p, outRows);
        form.assertWritten(outRows, wantRows);

        Tensor wantImage = Tensor.of(new float[x.length], image);
        patchify.unpatchify(Tensor.of(form.read(x), rows), k.p, wantImage);
        Tensor outImage = form.output(image);
        patchify.unpatchify(form.input(x, rows), k.p, outImage);
        form.assertWritten(outImage, wantImage);
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
        Tensor half = Samples.stored(DType.F16, new float[48], 1, 6, 8);
        assertThatIllegalArgumentException().isThrownBy(() -> patchify.patchify(image, 2, half))
                .withMessageContainingAll("patchify", "bfloat16", "F16[1, 6, 8]");
        assertThatIllegalArgumentException().isThrownBy(() -> patchify.unpatchify(half, 2, image))
                .withMessageContainingAll("unpatchify", "bfloat16", "F16[1, 6, 8]");
    }
}
