package jdiffusion.kernels.elementwise;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
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
import org.junit.jupiter.params.provider.ValueSource;

/** Combinations and mixtures give the CPU's bits, so they are compared exactly; activations by their formula. */
class CudaElementwiseTest extends DeviceTest {
    private static final int[] ODD = {3, 5, 65};
    private static final int[] EVEN = {3, 5, 68};
    private CudaElementwise elementwise;

    @BeforeEach
    void create() {
        elementwise = new CudaElementwise(device.cuda());
    }

    private static float[] values(int seed, int[] dims) {
        return Samples.normal(seed, (long) dims[0] * dims[1] * dims[2], 0, 2);
    }

    static Stream<Arguments> activationsInAllForms() {
        return Arrays.stream(Activation.values())
                .flatMap(activation -> Form.ALL.stream().map(form -> Arguments.of(activation, form)));
    }

    @ParameterizedTest
    @MethodSource("activationsInAllForms")
    void activatesAndGates(Activation activation, Form form) {
        for (int[] dims : List.of(ODD, EVEN)) {
            float[] x = form.read(values(1, dims));
            float[] y = form.read(values(2, dims));
            double[] activated = IntStream.range(0, x.length)
                    .mapToDouble(i -> MathReference.activate(activation, x[i])).toArray();
            double[] gated = IntStream.range(0, x.length).mapToDouble(i -> activated[i] * y[i]).toArray();

            Tensor out = form.output(dims);
            elementwise.activate(activation, form.input(x, dims), out);
            Samples.assertAsGoodAsNaive(result(out), form.written(naive(activation, x)), activated);

            Tensor product = form.output(dims);
            elementwise.gatedActivate(activation, form.input(x, dims), form.input(y, dims), product);
            float[] naive = naive(activation, x);
            for (int i = 0; i < naive.length; i++) {
                naive[i] *= y[i];
            }
            Samples.assertAsGoodAsNaive(result(product), form.written(naive), gated);
        }
    }

    /** A float32 result of every step. */
    private static float[] naive(Activation activation, float[] values) {
        float[] out = new float[values.length];
        for (int i = 0; i < out.length; i++) {
            float x = values[i];
            out[i] = switch (activation) {
                case NONE -> x;
                case SILU -> x / (1 + (float) Math.exp(-x));
                case GELU_TANH -> 0.5f * x * (1 + (float) Math.tanh(0.79788456f * (x + 0.044715f * x * x * x)));
                case GELU_ERF -> 0.5f * x * (1 + (float) MathReference.erf(x * 0.70710678f));
                case QUICK_GELU -> x / (1 + (float) Math.exp(-1.702f * x));
                case RELU -> x < 0 ? 0 : x;
            };
        }
        return out;
    }

    @ParameterizedTest
    @EnumSource
    void activationsOfSpecialValues(Activation activation) {
        float[] x = {0, -0f, 1e-30f, -1e-30f, 90, -90, 3e38f, -3e38f, Float.POSITIVE_INFINITY, Float.NaN};
        Tensor out = device.empty(DType.F32, x.length);
        elementwise.activate(activation, device.put(DType.F32, x, x.length), out);
        float[] actual = device.get(out);
        for (int i = 0; i < x.length; i++) {
            float want = (float) MathReference.activate(activation, x[i]);
            if (Math.abs(want) < Float.POSITIVE_INFINITY) {
                assertThat(actual[i]).as("at %s", x[i]).isCloseTo(want, within(1e-30f + Math.abs(want) * 1e-6f));
            } else {
                assertThat(actual[i]).as("at %s", x[i]).isEqualTo(Float.valueOf(want));
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void mayWriteOverEitherFactor(Activation activation) {
        Tensor out = device.empty(DType.F32, ODD);
        elementwise.gatedActivate(activation, put(1), put(2), out);
        Tensor first = put(1);
        elementwise.gatedActivate(activation, first, put(2), first);
        assertThat(result(first)).isEqualTo(device.get(out));
        Tensor second = put(2);
        elementwise.gatedActivate(activation, put(1), second, second);
        assertThat(result(second)).isEqualTo(device.get(out));
    }

    private static Tensor put(int seed) {
        return device.put(Samples.view(DType.F32, 4, values(seed, ODD), ODD));
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4})
    void combinesUpToFourTermsIntoAnyOfThem(int count) {
        float[] factors = {0.75f, -1.5f, 0, 3.25f};
        float[] used = Arrays.copyOf(factors, count);
        for (int[] dims : List.of(ODD, EVEN)) {
            float[] want = values(0, dims);
            for (int i = 0; i < want.length; i++) {
                want[i] *= factors[0];
            }
            for (int term = 1; term < count; term++) {
                float[] x = values(term, dims);
                for (int i = 0; i < want.length; i++) {
                    want[i] += factors[term] * x[i];
                }
            }
            for (int gap : new int[] {0, 1, 4}) {
                for (int target = -1; target < count; target++) {
                    List<Tensor> terms = IntStream.range(0, count)
                            .mapToObj(term -> device.put(Samples.view(DType.F32, gap, values(term, dims), dims)))
                            .toList();
                    Tensor out = target < 0 ? device.empty(DType.F32, dims) : terms.get(target);
                    elementwise.combine(used, terms, out);
                    assertThat(result(out)).as("into term %d", target).isEqualTo(want);
                }
            }
        }
    }

    @Test
    void blendsByTheMaskIntoAnyOperand() {
        for (int[] dims : List.of(ODD, EVEN)) {
            float[] mask = Samples.normal(5, values(1, dims).length, 0.5, 0.3);
            float[] a = values(1, dims);
            float[] b = values(2, dims);
            float[] want = new float[a.length];
            for (int i = 0; i < want.length; i++) {
                want[i] = mask[i] * a[i] + (1 - mask[i]) * b[i];
            }
            for (int target = 0; target < 4; target++) {
                Tensor[] operands = {device.put(Samples.view(DType.F32, 4, mask, dims)),
                        device.put(DType.F32, a, dims), device.put(Samples.view(DType.F32, 8, b, dims)),
                        device.empty(DType.F32, dims)};
                elementwise.blend(operands[0], operands[1], operands[2], operands[target]);
                assertThat(result(operands[target])).as("into operand %d", target).isEqualTo(want);
            }
        }
    }

    @Test
    void wrongOperandsAreNamed() {
        Tensor x = device.empty(DType.BF16, 2, 3);
        Tensor y = device.empty(DType.BF16, 3, 2);
        assertThatIllegalArgumentException().isThrownBy(() -> elementwise.activate(Activation.SILU, x, y))
                .withMessageContainingAll("activate", "[2, 3]", "[3, 2]");
        assertThatIllegalArgumentException().isThrownBy(() -> elementwise.gatedActivate(Activation.SILU, x, y, x))
                .withMessageContainingAll("gatedActivate", "[2, 3]", "[3, 2]");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> elementwise.combine(new float[] {1}, List.of(x), x))
                .withMessageContainingAll("combine", "float32", "BF16");
        assertThatIllegalArgumentException().isThrownBy(() -> elementwise.blend(x, x, x, x))
                .withMessageContainingAll("blend", "float32", "BF16");
    }
}
