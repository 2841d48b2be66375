package jdiffusion.kernels.groupnorm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.Arrays;
import java.util.EnumSet;
import java.util.stream.Stream;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.HostForm;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.Samples;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.cpu.Pointwise;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class GroupNormTest {
    private static final float EPS = 1e-6f;
    private static final Cpu CPU = new Cpu(2, Precision.F32);
    private final CpuGroupNorm norm = new CpuGroupNorm(CPU);

    @AfterAll
    static void close() {
        CPU.close();
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = {"VAE_MIDDLE", "VAE_LAST"})
    void followsTheFormula(GroupNormCase k) {
        float[] x = k.x();
        Tensor out = Samples.view(new float[x.length], k.dims());
        norm.run(Samples.view(x, k.dims()), k.groups, k.weight, k.bias, EPS, Activation.NONE, out);
        Samples.assertAsGoodAsNaive(out.toArray(),
                GroupNormReference.naive(x, k.batch, k.c, k.groups, k.weight, k.bias, EPS),
                GroupNormReference.exact(x, k.batch, k.c, k.groups, k.weight, k.bias, EPS));
        Samples.assertGapsUntouched(out);
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = {"VAE_MIDDLE", "VAE_LAST"})
    void theActivationComesLast(GroupNormCase k) {
        Tensor plain = Tensor.of(k.x(), k.dims());
        Tensor fused = Tensor.of(k.x(), k.dims());
        norm.run(plain, k.groups, k.weight, k.bias, EPS, Activation.NONE, plain);
        norm.run(fused, k.groups, k.weight, k.bias, EPS, k.activation, fused);
        float[] want = plain.toArray();
        Pointwise.activate(k.activation, want, 0, want.length);
        assertThat(fused.toArray()).isEqualTo(want);
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = {"VAE_MIDDLE", "VAE_LAST"})
    void neitherThreadsNorLayoutNorAliasingChangeABit(GroupNormCase k) {
        Tensor inPlace = Samples.view(k.x(), k.dims());
        norm.run(inPlace, k.groups, k.weight, k.bias, EPS, k.activation, inPlace);
        Tensor out = Tensor.of(new float[k.size()], k.dims());
        try (Cpu one = new Cpu(1, Precision.F32)) {
            new CpuGroupNorm(one).run(Tensor.of(k.x(), k.dims()), k.groups, k.weight, k.bias, EPS, k.activation, out);
        }
        assertThat(out.toArray()).isEqualTo(inPlace.toArray());
    }

    static Stream<Arguments> casesInNarrowForms() {
        return HostForm.with(
                EnumSet.complementOf(EnumSet.of(GroupNormCase.VAE_MIDDLE, GroupNormCase.VAE_LAST)).stream());
    }

    @ParameterizedTest
    @MethodSource("casesInNarrowForms")
    void bfloat16IsFloat32Rounded(GroupNormCase k, HostForm form) {
        Tensor want = Tensor.of(form.read(k.x()), k.dims());
        norm.run(want, k.groups, k.weight, k.bias, EPS, k.activation, want);
        Tensor out = form.output(k.dims());
        norm.run(form.input(k.x(), k.dims()), k.groups, k.weight, k.bias, EPS, k.activation, out);
        form.assertWritten(out, want);
        if (form.in() == form.out()) {
            Tensor inPlace = form.input(k.x(), k.dims());
            norm.run(inPlace, k.groups, k.weight, k.bias, EPS, k.activation, inPlace);
            form.assertWritten(inPlace, want);
        }
    }

    @Test
    void anImageDoesNotDependOnItsNeighboursInTheBatch() {
        GroupNormCase k = GroupNormCase.GROUPS_OF_5;
        float[] x = k.x();
        Tensor all = Tensor.of(x.clone(), k.dims());
        norm.run(all, k.groups, k.weight, k.bias, EPS, k.activation, all);
        Tensor last = Tensor.of(Arrays.copyOfRange(x, 2 * x.length / 3, x.length), 1, k.height, k.width, k.c);
        norm.run(last, k.groups, k.weight, k.bias, EPS, k.activation, last);
        assertThat(last.toArray()).isEqualTo(all.slice(2, 3).toArray());
    }

    /** Half of the image lies at 1000 and half at -1000 with a ripple of 1: tiles agree on nothing. */
    @Test
    void tilesOfDifferentMeansAreJoined() {
        int[] dims = {1, 256, 256, 8};
        float[] x = Samples.normal(7, 256 * 256 * 8, 0, 1);
        for (int i = 0; i < x.length; i++) {
            x[i] += i < x.length / 3 ? 1000 : -1000;
        }
        Tensor out = Tensor.of(new float[x.length], dims);
        norm.run(Tensor.of(x, dims), 2, null, null, EPS, Activation.NONE, out);
        assertThat(new GroupNormShape(1, 256 * 256, 8, 2).tiles()).isGreaterThan(3);
        Samples.assertAsGoodAsNaive(out.toArray(), GroupNormReference.naive(x, 1, 8, 2, null, null, EPS),
                GroupNormReference.exact(x, 1, 8, 2, null, null, EPS));
    }

    @Test
    void wrongShapesAreNamed() {
        Tensor x = Tensor.of(new float[48], 2, 2, 2, 6);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> norm.run(x, 2, null, null, EPS, Activation.NONE, Tensor.of(new float[48], 8, 6)))
                .withMessageContainingAll("groupNorm", "[2, 2, 2, 6]", "[8, 6]");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> norm.run(x, 2, null, null, EPS, Activation.NONE,
                        Tensor.of(new float[48], 2, 2, 1, 12)))
                .withMessageContainingAll("groupNorm", "[2, 2, 2, 6]", "[2, 2, 1, 12]");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> norm.run(x, 2, Tensor.of(new float[5], 5), null, EPS, Activation.NONE, x))
                .withMessageContainingAll("groupNorm", "[2, 2, 2, 6]", "[5]");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> norm.run(x, 4, null, null, EPS, Activation.NONE, x))
                .withMessageContainingAll("groupNorm", "6 channels", "4 groups");
        Tensor half = Samples.stored(DType.F16, new float[48], 2, 2, 2, 6);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> norm.run(half, 2, null, null, EPS, Activation.NONE, x))
                .withMessageContainingAll("groupNorm", "bfloat16", "F16[2, 2, 2, 6]");
    }
}
