package jdiffusion.kernels.linear;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.TestTensors;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.kernels.machine.CpuLevel;
import jdiffusion.kernels.machine.Levels;
import jdiffusion.tensor.BlockFormat;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Gated layers on the CPU, at every level. */
class GatedLinearTest {
    /** Each by the height of a half. */
    static final List<LinearCase> RAGGED = List.of(new LinearCase(1, 5, 7, DType.BF16),
            new LinearCase(14, 40, 72, DType.F16), new LinearCase(65, 104, 63, DType.BF16),
            new LinearCase(13, 127, 129, DType.F8_E4M3));

    @ParameterizedTest
    @EnumSource
    void isAsCloseAsNaiveCode(CpuLevel level) {
        Levels.assume(level);
        for (LinearCase c : RAGGED) {
            for (Precision precision : TestTensors.CPU_PRECISIONS) {
                for (boolean biased : new boolean[] {true, false}) {
                    float[] x = TestTensors.gaussian(1, c.m() * c.k(), 1);
                    Tensor w = TestTensors.random(2, c.type(), 1 / Math.sqrt(c.k()), 2 * c.n(), c.k());
                    Tensor bias = biased ? TestTensors.random(3, DType.F32, 1, 2 * c.n()) : null;
                    Tensor out = TestTensors.spread(new float[c.m() * c.n()], 3, 2, c.m(), c.n());
                    try (Backend cpu = new CpuBackend(2, precision, level)) {
                        cpu.gatedLinear(TestTensors.spread(x, 2, 5, c.m(), c.k()), Weight.of(w), bias,
                                Activation.GELU_ERF, out);
                    }
                    GatedLinearReference.check(c + " " + precision + " " + level, c,
                            TestTensors.rounded(precision, x), TestTensors.rounded(precision, w.toArray()),
                            bias == null ? null : bias.toArray(), Activation.GELU_ERF, out.toArray(), DType.F32);
                    assertThat(TestTensors.gapsUntouched(out, 2)).isTrue();
                }
            }
        }
    }

    /** Halves of matrices in blocks and in 4 bits are those of the whole. */
    @Test
    void halvesOfQuantisedMatrices() {
        int n = 64;
        int k = 256;
        Tensor x = TestTensors.random(1, DType.F32, 1, 9, k);
        for (Weight w : List.of(new BlocksCase(BlockFormat.Q6_K, 2 * n, k).make(1),
                new FourBitCase(2 * n, k, 64, true).make(1), new FourBitCase(2 * n, k, 64, false).make(1))) {
            float[] values = new float[2 * n * k];
            for (int row = 0; row < 2 * n; row++) {
                w.read(row, 0, k, values, row * k);
            }
            Tensor out = Tensor.of(new float[9 * n], 9, n);
            try (Backend cpu = new CpuBackend(2, Precision.F32)) {
                cpu.gatedLinear(x, w, null, Activation.SILU, out);
            }
            GatedLinearReference.check(w.getClass().getSimpleName(), new LinearCase(9, k, n, DType.F32), x.toArray(),
                    values, null, Activation.SILU, out.toArray(), DType.F32);
        }
    }

    @Test
    void shapesThatDoNotFitAreNamed() {
        Tensor x = Tensor.of(new float[6], 2, 3);
        Weight w = Weight.of(Tensor.of(new float[12], 4, 3));
        Tensor out = Tensor.of(new float[4], 2, 2);
        refuse(x, w, null, Tensor.of(new float[8], 2, 4), "gatedLinear", "[4, 3]", "[2, 4]");
        refuse(x, Weight.of(Tensor.of(new float[15], 5, 3)), null, out, "gatedLinear", "[5, 3]", "[2, 2]");
        refuse(x, w, Tensor.of(new float[2], 2), out, "bias", "[2]", "[4, 3]");
        refuse(Tensor.of(new float[8], 2, 4), w, null, out, "input", "[2, 4]", "[2, 3]");
    }

    private static void refuse(Tensor x, Weight w, Tensor bias, Tensor out, String... says) {
        try (Backend cpu = new CpuBackend(1, Precision.F32)) {
            assertThatThrownBy(() -> cpu.gatedLinear(x, w, bias, Activation.SILU, out))
                    .isInstanceOf(IllegalArgumentException.class).hasMessageContainingAll(says);
        }
    }
}
