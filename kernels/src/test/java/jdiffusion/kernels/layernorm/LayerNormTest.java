package jdiffusion.kernels.layernorm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.Arrays;
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

class LayerNormTest {
    private static final float EPS = 1e-6f;
    private static final Cpu CPU = new Cpu(2, Precision.F32);
    private final CpuLayerNorm norm = new CpuLayerNorm(CPU);

    @AfterAll
    static void close() {
        CPU.close();
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "MMDIT_IMAGE")
    void followsTheFormula(LayerNormCase k) {
        float[] x = k.x();
        Tensor out = Samples.view(new float[x.length], k.rows, k.c);
        norm.run(Samples.view(x, k.rows, k.c), k.weight, k.bias, k.scale(), k.shift(), EPS, out);
        Samples.assertAsGoodAsNaive(out.toArray(),
                LayerNormReference.naive(x, k.c, k.weight, k.bias, k.scale(), k.shift(), EPS),
                LayerNormReference.exact(x, k.c, k.weight, k.bias, k.scale(), k.shift(), EPS));
        Samples.assertGapsUntouched(out);
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "MMDIT_IMAGE")
    void neitherThreadsNorLayoutNorAliasingChangeABit(LayerNormCase k) {
        Tensor inPlace = Samples.view(k.x(), k.rows, k.c);
        norm.run(inPlace, k.weight, k.bias, k.scale(), k.shift(), EPS, inPlace);
        Tensor out = Tensor.of(new float[k.rows * k.c], k.rows, k.c);
        try (Cpu one = new Cpu(1, Precision.F32)) {
            new CpuLayerNorm(one).run(Tensor.of(k.x(), k.rows, k.c), k.weight, k.bias, k.scale(), k.shift(), EPS, out);
        }
        assertThat(out.toArray()).isEqualTo(inPlace.toArray());
    }

    static Stream<Arguments> casesInNarrowForms() {
        return HostForm.with(
                EnumSet.complementOf(EnumSet.of(LayerNormCase.MMDIT_TEXT, LayerNormCase.MMDIT_IMAGE)).stream());
    }

    @ParameterizedTest
    @MethodSource("casesInNarrowForms")
    void bfloat16IsFloat32Rounded(LayerNormCase k, HostForm form) {
        Tensor want = Tensor.of(form.read(k.x()), k.rows, k.c);
        norm.run(want, k.weight, k.bias, k.scale(), k.shift(), EPS, want);
        Tensor out = form.output(k.rows, k.c);
        norm.run(form.input(k.x(), k.rows, k.c), k.weight, k.bias, k.scale(), k.shift(), EPS, out);
        form.assertWritten(out, want);
        if (form.in() == form.out()) {
            Tensor inPlace = form.input(k.x(), k.rows, k.c);
            norm.run(inPlace, k.weight, k.bias, k.scale(), k.shift(), EPS, inPlace);
            form.assertWritten(inPlace, want);
        }
    }

    @Test
    void anEntryDoesNotDependOnItsNeighboursInTheBatch() {
        LayerNormCase k = LayerNormCase.RAGGED_65;
        float[] x = k.x();
        Tensor all = Tensor.of(new float[x.length], k.rows, k.c);
        norm.run(Tensor.of(x, k.rows, k.c), k.weight, k.bias, k.scale(), k.shift(), EPS, all);
        int perEntry = k.rows / k.batch;
        Tensor last = Tensor.of(Arrays.copyOfRange(x, 2 * perEntry * k.c, x.length), perEntry, k.c);
        norm.run(last, k.weight, k.bias, k.scale().slice(2, 3), k.shift().slice(2, 3), EPS, last);
        assertThat(last.toArray()).isEqualTo(all.slice(2 * perEntry, k.rows).toArray());
    }

    @Test
    void weightOrBiasAloneIsAllowed() {
        Tensor x = Tensor.of(new float[] {1, 3}, 1, 2);
        Tensor out = Tensor.of(new float[2], 1, 2);
        norm.run(x, Tensor.of(new float[] {2, 3}, 2), null, null, null, 0, out);
        assertThat(out.toArray()).containsExactly(-2, 3);
        norm.run(x, null, Tensor.of(new float[] {5, 7}, 2), null, null, 0, out);
        assertThat(out.toArray()).containsExactly(4, 8);
    }

    @Test
    void equalChannelsGiveTheOffset() {
        Tensor x = Tensor.of(new float[] {7, 7, 7}, 1, 3);
        norm.run(x, null, Tensor.of(new float[] {1, 2, 3}, 3), null, null, EPS, x);
        assertThat(x.toArray()).containsExactly(1, 2, 3);
    }

    @Test
    void wrongShapesAreNamed() {
        Tensor x = Tensor.of(new float[12], 3, 4);
        Tensor two = Tensor.of(new float[8], 2, 4);
        Tensor five = Tensor.of(new float[5], 5);
        assertThatIllegalArgumentException().isThrownBy(() -> norm.run(x, null, null, null, null, EPS, two))
                .withMessageContainingAll("layerNorm", "[3, 4]", "[2, 4]");
        assertThatIllegalArgumentException().isThrownBy(() -> norm.run(x, five, null, null, null, EPS, x))
                .withMessageContainingAll("layerNorm", "[3, 4]", "[5]");
        assertThatIllegalArgumentException().isThrownBy(() -> norm.run(x, null, five, null, null, EPS, x))
                .withMessageContainingAll("layerNorm", "[3, 4]", "[5]");
        assertThatIllegalArgumentException().isThrownBy(() -> norm.run(x, null, null, two, two, EPS, x))
                .withMessageContainingAll("layerNorm", "[3, 4]", "[2, 4]");
        assertThatIllegalArgumentException().isThrownBy(() -> norm.run(x, null, null, x, two, EPS, x))
                .withMessageContainingAll("layerNorm", "[3, 4]", "[2, 4]");
        assertThatIllegalArgumentException().isThrownBy(() -> norm.run(x, null, null, x, null, EPS, x))
                .withMessageContainingAll("layerNorm", "[3, 4]", "null");
        assertThatIllegalArgumentException().isThrownBy(() -> norm.run(Samples.ids(1), null, null, null, null, EPS, x))
                .withMessageContainingAll("layerNorm", "I32");
        Tensor half = Samples.stored(DType.F16, new float[12], 3, 4);
        Tensor narrow = Samples.stored(DType.BF16, new float[4], 1, 4);
        assertThatIllegalArgumentException().isThrownBy(() -> norm.run(x, null, null, null, null, EPS, half))
                .withMessageContainingAll("layerNorm", "bfloat16", "F16[3, 4]");
        assertThatIllegalArgumentException().isThrownBy(() -> norm.run(half, null, null, null, null, EPS, x))
                .withMessageContainingAll("layerNorm", "bfloat16", "F16[3, 4]");
        assertThatIllegalArgumentException().isThrownBy(() -> norm.run(x, null, null, narrow, narrow, EPS, x))
                .withMessageContainingAll("layerNorm", "float32", "BF16[1, 4]");
    }
}
