package jdiffusion.kernels.rmsnorm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.Arrays;
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

class RmsNormTest {
    private static final float EPS = 1e-6f;
    private static final Cpu CPU = new Cpu(2, Precision.F32);
    private final CpuRmsNorm norm = new CpuRmsNorm(CPU);

    @AfterAll
    static void close() {
        CPU.close();
    }

    @ParameterizedTest
    @EnumSource
    void followsTheFormula(RmsNormCase k) {
        float[] x = k.x();
        Tensor out = Samples.view(new float[x.length], k.rows, k.c);
        norm.run(Samples.view(x, k.rows, k.c), k.weight, EPS, out);
        Samples.assertAsGoodAsNaive(out.toArray(), RmsNormReference.naive(x, k.c, k.weight, EPS),
                RmsNormReference.exact(x, k.c, k.weight, EPS));
        Samples.assertGapsUntouched(out);
    }

    @ParameterizedTest
    @EnumSource
    void neitherThreadsNorLayoutNorAliasingChangeABit(RmsNormCase k) {
        Tensor inPlace = Samples.view(k.x(), k.rows, k.c);
        norm.run(inPlace, k.weight, EPS, inPlace);
        Tensor out = Tensor.of(new float[k.rows * k.c], k.rows, k.c);
        try (Cpu one = new Cpu(1, Precision.F32)) {
            new CpuRmsNorm(one).run(Tensor.of(k.x(), k.rows, k.c), k.weight, EPS, out);
        }
        assertThat(out.toArray()).isEqualTo(inPlace.toArray());
    }

    static Stream<Arguments> casesInNarrowForms() {
        return HostForm.with(Arrays.stream(RmsNormCase.values()).filter(k -> k != RmsNormCase.T5));
    }

    @ParameterizedTest
    @MethodSource("casesInNarrowForms")
    void bfloat16IsFloat32Rounded(RmsNormCase k, HostForm form) {
        Tensor want = Tensor.of(form.read(k.x()), k.rows, k.c);
        norm.run(want, k.weight, EPS, want);
        Tensor out = form.output(k.rows, k.c);
        norm.run(form.input(k.x(), k.rows, k.c), k.weight, EPS, out);
        form.assertWritten(out, want);
        if (form.in() == form.out()) {
            Tensor inPlace = form.input(k.x(), k.rows, k.c);
            norm.run(inPlace, k.weight, EPS, inPlace);
            form.assertWritten(inPlace, want);
        }
    }

    @Test
    void theMeanIsNotSubtracted() {
        Tensor x = Tensor.of(new float[] {3, 3, 3, 3}, 1, 4);
        norm.run(x, Tensor.of(new float[] {1, 2, 3, 4}, 4), 0, x);
        assertThat(x.toArray()).containsExactly(1, 2, 3, 4);
    }

    @Test
    void wrongShapesAreNamed() {
        Tensor x = Tensor.of(new float[12], 3, 4);
        Tensor weight = Tensor.of(new float[4], 4);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> norm.run(x, weight, EPS, Tensor.of(new float[8], 2, 4)))
                .withMessageContainingAll("rmsNorm", "[3, 4]", "[2, 4]");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> norm.run(x, Tensor.of(new float[3], 3), EPS, x))
                .withMessageContainingAll("rmsNorm", "[3, 4]", "[3]");
        assertThatIllegalArgumentException().isThrownBy(() -> norm.run(x, Samples.ids(1, 2, 3, 4), EPS, x))
                .withMessageContainingAll("rmsNorm", "[3, 4]", "I32[4]");
        Tensor half = Samples.stored(DType.F16, new float[12], 3, 4);
        assertThatIllegalArgumentException().isThrownBy(() -> norm.run(x, weight, EPS, half))
                .withMessageContainingAll("rmsNorm", "bfloat16", "F16[3, 4]");
    }
}
