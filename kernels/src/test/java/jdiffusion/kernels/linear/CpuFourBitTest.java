package jdiffusion.kernels.linear;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.stream.Stream;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Closeness;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.TestTensors;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.FourBitWeight;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Linear layers with weights in 4 bits on the CPU. */
class CpuFourBitTest {
    static Stream<FourBitCase> cases() {
        return Arrays.stream(FourBitCase.ALL);
    }

    @ParameterizedTest
    @MethodSource("cases")
    void elementsToTheBit(FourBitCase c) {
        FourBitWeight w = c.make(3);
        assertThat(dequantised(w)).isEqualTo(FourBitCase.values(w));
        float[] part = new float[c.cols()];
        int from = c.cols() / 3;
        CpuFourBit.run(w, c.rows() - 1, from, c.cols() - from, part, from);
        float[] row = Arrays.copyOfRange(FourBitCase.values(w), (c.rows() - 1) * c.cols(), c.rows() * c.cols());
        Arrays.fill(row, 0, from, 0);
        assertThat(part).isEqualTo(row);
    }

    @ParameterizedTest
    @MethodSource("cases")
    void aLayerIsTheLayerOfTheDenseMatrix(FourBitCase c) {
        FourBitWeight w = c.make(4);
        Tensor x = TestTensors.random(1, DType.F32, 1, 7, c.cols());
        Tensor bias = TestTensors.random(2, DType.BF16, 1, c.rows());
        for (Precision precision : TestTensors.CPU_PRECISIONS) {
            Tensor dense = Tensor.of(FourBitCase.values(w), c.rows(), c.cols());
            assertThat(run(precision, x, w, bias)).isEqualTo(run(precision, x, Weight.of(dense), bias));
        }
    }

    @Test
    void quantisedAndDenseMatricesInOneWeight() {
        FourBitWeight w = new FourBitCase(40, 96, 64, true).make(5);
        Tensor dense = TestTensors.random(6, DType.F16, 1, 30, 96);
        float[] joined = new float[70 * 96];
        System.arraycopy(dense.toArray(), 0, joined, 0, 30 * 96);
        System.arraycopy(FourBitCase.values(w), 0, joined, 30 * 96, 40 * 96);
        Tensor x = TestTensors.random(1, DType.F32, 1, 9, 96);
        assertThat(run(Precision.F32, x, Weight.rows(Weight.of(dense), w), null))
                .isEqualTo(run(Precision.F32, x, Weight.of(Tensor.of(joined, 70, 96)), null));
    }

    @Test
    void whatBitsandbytesGives() {
        try (FourBitReference reference = FourBitReference.open()) {
            assertThat(reference.names()).hasSize(8);
            for (String name : reference.names()) {
                FourBitWeight w = reference.weight(name);
                float[] dense = reference.expected(name, "dequantized").toArray();
                assertThat(dequantised(w)).as(name).isEqualTo(dense);
                Tensor x = reference.expected(name, "input");
                float[] product = run(Precision.F32, x, w, null);
                double[] exact = LinearReference.exact(x.rows(), w.rows(), w.cols(), x.toArray(), dense, null,
                        Activation.NONE, Epilogue.Mode.STORE, null, null);
                Closeness.check(name, product, exact, reference.expected(name, "product").toArray());
            }
        }
    }

    private static float[] dequantised(FourBitWeight w) {
        float[] values = new float[w.rows() * w.cols()];
        for (int r = 0; r < w.rows(); r++) {
            CpuFourBit.run(w, r, 0, w.cols(), values, r * w.cols());
        }
        return values;
    }

    private static float[] run(Precision precision, Tensor x, Weight w, Tensor bias) {
        Tensor out = Tensor.of(new float[x.rows() * w.rows()], x.rows(), w.rows());
        try (Cpu cpu = new Cpu(2, precision)) {
            new CpuLinear(cpu).run(new LinearCall(x, w, bias, Epilogue.STORE, out));
        }
        return out.toArray();
    }
}
