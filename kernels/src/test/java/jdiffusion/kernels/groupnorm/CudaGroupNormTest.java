package jdiffusion.kernels.groupnorm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.EnumSet;
import java.util.stream.Stream;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Samples;
import jdiffusion.kernels.cpu.MathReference;
import jdiffusion.kernels.cuda.DeviceTest;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class CudaGroupNormTest extends DeviceTest {
    private static final float EPS = 1e-6f;
    private CudaGroupNorm norm;

    @BeforeEach
    void create() {
        norm = new CudaGroupNorm(device.cuda());
    }

    static Stream<Arguments> casesInAllForms() {
        return EnumSet.complementOf(EnumSet.of(GroupNormCase.VAE_MIDDLE, GroupNormCase.VAE_LAST)).stream()
                .flatMap(k -> Form.ALL.stream().map(form -> Arguments.of(k, form)));
    }

    @ParameterizedTest
    @MethodSource("casesInAllForms")
    void followsTheFormula(GroupNormCase k, Form form) {
        Tensor out = form.output(k.dims());
        norm.run(form.input(k.x(), k.dims()), k.groups, put(k.weight), put(k.bias), EPS, k.activation, out);
        float[] x = form.read(k.x());
        double[] exact = GroupNormReference.exact(x, k.batch, k.c, k.groups, k.weight, k.bias, EPS);
        float[] naive = GroupNormReference.naive(x, k.batch, k.c, k.groups, k.weight, k.bias, EPS);
        for (int i = 0; i < exact.length; i++) {
            exact[i] = MathReference.activate(k.activation, exact[i]);
            naive[i] = (float) MathReference.activate(k.activation, naive[i]);
        }
        Samples.assertAsGoodAsNaive(result(out), form.written(naive), exact);
    }

    private static Tensor put(Tensor host) {
        return host == null ? null : device.put(host);
    }

    @ParameterizedTest
    @EnumSource(names = {"ONE_PIXEL", "GROUPS_OF_5", "GROUPS_OF_4", "WIDER_THAN_A_CHUNK"})
    void mayWriteOverX(GroupNormCase k) {
        Tensor x = device.put(Samples.view(DType.BF16, 4, k.x(), k.dims()));
        Tensor out = device.put(Samples.view(DType.BF16, 4, k.x(), k.dims()));
        norm.run(x, k.groups, put(k.weight), put(k.bias), EPS, k.activation, out);
        norm.run(x, k.groups, put(k.weight), put(k.bias), EPS, k.activation, x);
        assertThat(result(x)).isEqualTo(result(out));
    }

    @Test
    void anImageDoesNotDependOnItsNeighboursInTheBatch() {
        GroupNormCase k = GroupNormCase.GROUPS_OF_5;
        Tensor all = device.put(DType.F32, k.x(), k.dims());
        Tensor last = device.put(DType.F32, k.x(), k.dims()).slice(2, 3);
        norm.run(all, k.groups, put(k.weight), put(k.bias), EPS, k.activation, all);
        norm.run(last, k.groups, put(k.weight), put(k.bias), EPS, k.activation, last);
        assertThat(device.get(last)).isEqualTo(device.get(all.slice(2, 3)));
    }

    /** A third of the image lies at 1000 and the rest at -1000 with a ripple of 1: tiles agree on nothing. */
    @Test
    void tilesOfDifferentMeansAreJoined() {
        int[] dims = {1, 128, 128, 8};
        float[] x = Samples.normal(7, 128 * 128 * 8, 0, 1);
        for (int i = 0; i < x.length; i++) {
            x[i] += i < x.length / 3 ? 1000 : -1000;
        }
        Tensor out = device.empty(DType.F32, dims);
        norm.run(device.put(DType.F32, x, dims), 2, null, null, EPS, Activation.NONE, out);
        Samples.assertAsGoodAsNaive(device.get(out), GroupNormReference.naive(x, 1, 8, 2, null, null, EPS),
                GroupNormReference.exact(x, 1, 8, 2, null, null, EPS));
    }

    /** The values are taken relative to the first, which is far from all others here. */
    @Test
    void theFirstValueMayBeAnOutlier() {
        int[] dims = {1, 33, 64, 8};
        float[] x = Samples.normal(8, 33 * 64 * 8, 0, 1);
        x[0] = 1e4f;
        x[4] = -1e4f;
        Tensor out = device.empty(DType.F32, dims);
        norm.run(device.put(DType.F32, x, dims), 2, null, null, EPS, Activation.NONE, out);
        Samples.assertAsGoodAsNaive(device.get(out), GroupNormReference.naive(x, 1, 8, 2, null, null, EPS),
                GroupNormReference.exact(x, 1, 8, 2, null, null, EPS));
    }

    @Test
    void wrongShapesAreNamed() {
        Tensor x = device.empty(DType.BF16, 2, 2, 2, 6);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> norm.run(x, 2, null, null, EPS, Activation.NONE, device.empty(DType.F32, 8, 6)))
                .withMessageContainingAll("groupNorm", "[2, 2, 2, 6]", "[8, 6]");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> norm.run(x, 4, null, null, EPS, Activation.NONE, x))
                .withMessageContainingAll("groupNorm", "6 channels", "4 groups");
    }
}
