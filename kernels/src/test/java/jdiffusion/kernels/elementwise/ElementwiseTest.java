package jdiffusion.kernels.elementwise;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.Arrays;
import java.util.List;
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
import org.junit.jupiter.params.provider.ValueSource;

/** The formulas are one rounding or two a term, so results are compared exactly. */
class ElementwiseTest {
    private static final int[] DIMS = {7, 13, 65};
    private static final int SIZE = 7 * 13 * 65;
    private static final Cpu CPU = new Cpu(2, Precision.F32);
    private final CpuElementwise elementwise = new CpuElementwise(CPU);

    @AfterAll
    static void close() {
        CPU.close();
    }

    private static float[] values(int seed) {
        return Samples.normal(seed, SIZE, 0, 2);
    }

    private static Tensor view(int seed) {
        return Samples.view(values(seed), DIMS);
    }

    @ParameterizedTest
    @EnumSource
    void activatesElementsWhereverTheyLie(Activation activation) {
        float[] want = values(1);
        Pointwise.activate(activation, want, 0, SIZE);
        Tensor out = view(2);
        elementwise.activate(activation, Tensor.of(values(1), DIMS), out);
        assertThat(out.toArray()).isEqualTo(want);
        Samples.assertGapsUntouched(out);
        Tensor inPlace = view(1);
        elementwise.activate(activation, inPlace, inPlace);
        assertThat(inPlace.toArray()).isEqualTo(want);
    }

    @ParameterizedTest
    @EnumSource
    void gatesByTheSecondOperand(Activation activation) {
        float[] want = values(1);
        float[] y = values(2);
        Pointwise.activate(activation, want, 0, SIZE);
        for (int i = 0; i < SIZE; i++) {
            want[i] *= y[i];
        }
        Tensor out = Tensor.of(new float[SIZE], DIMS);
        elementwise.gatedActivate(activation, view(1), view(2), out);
        assertThat(out.toArray()).isEqualTo(want);
        Tensor first = view(1);
        elementwise.gatedActivate(activation, first, view(2), first);
        assertThat(first.toArray()).isEqualTo(want);
        Tensor second = view(2);
        elementwise.gatedActivate(activation, view(1), second, second);
        assertThat(second.toArray()).isEqualTo(want);
        Samples.assertGapsUntouched(second);
    }

    static Stream<Arguments> activationsInNarrowForms() {
        return HostForm.with(Arrays.stream(Activation.values()));
    }

    @ParameterizedTest
    @MethodSource("activationsInNarrowForms")
    void bfloat16IsFloat32Rounded(Activation activation, HostForm form) {
        Tensor wide = Tensor.of(form.read(values(1)), DIMS);
        Tensor y = Tensor.of(form.read(values(2)), DIMS);
        Tensor want = Tensor.of(new float[SIZE], DIMS);
        elementwise.activate(activation, wide, want);
        Tensor out = form.output(DIMS);
        elementwise.activate(activation, form.input(values(1), DIMS), out);
        form.assertWritten(out, want);

        elementwise.gatedActivate(activation, wide, y, want);
        elementwise.gatedActivate(activation, form.input(values(1), DIMS), form.input(values(2), DIMS), out);
        form.assertWritten(out, want);
        elementwise.gatedActivate(activation, wide, form.input(values(2), DIMS), out);
        form.assertWritten(out, want);
        if (form.in() == form.out()) {
            Tensor first = form.input(values(1), DIMS);
            elementwise.gatedActivate(activation, first, y, first);
            form.assertWritten(first, want);
            Tensor second = form.input(values(2), DIMS);
            elementwise.gatedActivate(activation, wide, second, second);
            form.assertWritten(second, want);
        }
    }

    @ParameterizedTest
    @EnumSource
    void activatesBfloat16InPlace(Activation activation) {
        Tensor want = Tensor.of(Samples.rounded(DType.BF16, values(1)), DIMS);
        elementwise.activate(activation, want, want);
        Tensor inPlace = Samples.view(DType.BF16, 3, values(1), DIMS);
        elementwise.activate(activation, inPlace, inPlace);
        assertThat(inPlace.toArray()).isEqualTo(Samples.rounded(DType.BF16, want.toArray()));
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4})
    void combinesUpToFourTermsIntoAnyOfThem(int count) {
        float[] factors = {0.75f, -1.5f, 0, 3.25f};
        float[] used = Arrays.copyOf(factors, count);
        float[] want = new float[SIZE];
        for (int term = 0; term < count; term++) {
            float[] x = values(term);
            for (int i = 0; i < SIZE; i++) {
                want[i] = term == 0 ? factors[0] * x[i] : want[i] + factors[term] * x[i];
            }
        }
        for (int target = -1; target < count; target++) {
            List<Tensor> terms = List.of(view(0), Tensor.of(values(1), DIMS), view(2), view(3)).subList(0, count);
            Tensor out = target < 0 ? view(9) : terms.get(target);
            elementwise.combine(used, terms, out);
            assertThat(out.toArray()).as("into term %d", target).isEqualTo(want);
        }
    }

    @Test
    void blendsByTheMaskIntoAnyOperand() {
        float[] mask = Samples.normal(5, SIZE, 0.5, 0.3);
        float[] a = values(1);
        float[] b = values(2);
        float[] want = new float[SIZE];
        for (int i = 0; i < SIZE; i++) {
            want[i] = mask[i] * a[i] + (1 - mask[i]) * b[i];
        }
        for (int target = 0; target < 4; target++) {
            Tensor[] operands = {Samples.view(mask, DIMS), view(1), view(2), Tensor.of(new float[SIZE], DIMS)};
            elementwise.blend(operands[0], operands[1], operands[2], operands[target]);
            assertThat(operands[target].toArray()).as("into operand %d", target).isEqualTo(want);
        }
    }

    @Test
    void aMaskOfZerosAndOnesPicksExactly() {
        Tensor out = Tensor.of(new float[2], 2);
        elementwise.blend(Tensor.of(new float[] {1, 0}, 2), Tensor.of(new float[] {0.1f, 0.2f}, 2),
                Tensor.of(new float[] {0.3f, 0.4f}, 2), out);
        assertThat(out.toArray()).containsExactly(0.1f, 0.4f);
    }

    @Test
    void wrongShapesAreNamed() {
        Tensor x = Tensor.of(new float[6], 2, 3);
        Tensor y = Tensor.of(new float[6], 3, 2);
        float[] ones = {1, 1};
        assertThatIllegalArgumentException().isThrownBy(() -> elementwise.activate(Activation.SILU, x, y))
                .withMessageContainingAll("activate", "[2, 3]", "[3, 2]");
        assertThatIllegalArgumentException().isThrownBy(() -> elementwise.gatedActivate(Activation.SILU, x, y, x))
                .withMessageContainingAll("gatedActivate", "[2, 3]", "[3, 2]");
        assertThatIllegalArgumentException().isThrownBy(() -> elementwise.combine(ones, List.of(x, y), x))
                .withMessageContainingAll("combine", "[2, 3]", "[3, 2]");
        assertThatIllegalArgumentException().isThrownBy(() -> elementwise.combine(ones, List.of(x), x))
                .withMessageContainingAll("combine", "1 terms", "2 factors");
        assertThatIllegalArgumentException().isThrownBy(() -> elementwise.combine(new float[0], List.of(), x))
                .withMessageContainingAll("combine", "0 terms");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> elementwise.combine(new float[5], List.of(x, x, x, x, x), x))
                .withMessageContainingAll("combine", "5 terms");
        assertThatIllegalArgumentException().isThrownBy(() -> elementwise.blend(y, x, x, x))
                .withMessageContainingAll("blend", "[2, 3]", "[3, 2]");
    }

    @Test
    void wrongTypesAreNamed() {
        Tensor x = Tensor.of(new float[6], 2, 3);
        Tensor half = Samples.stored(DType.F16, new float[6], 2, 3);
        Tensor narrow = Samples.stored(DType.BF16, new float[6], 2, 3);
        assertThatIllegalArgumentException().isThrownBy(() -> elementwise.activate(Activation.SILU, x, half))
                .withMessageContainingAll("activate", "bfloat16", "F16[2, 3]");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> elementwise.gatedActivate(Activation.SILU, x, half, x))
                .withMessageContainingAll("gatedActivate", "bfloat16", "F16[2, 3]");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> elementwise.combine(new float[] {1}, List.of(narrow), x))
                .withMessageContainingAll("combine", "float32", "BF16[2, 3]");
        assertThatIllegalArgumentException().isThrownBy(() -> elementwise.blend(x, x, x, narrow))
                .withMessageContainingAll("blend", "float32", "BF16[2, 3]");
    }
}
