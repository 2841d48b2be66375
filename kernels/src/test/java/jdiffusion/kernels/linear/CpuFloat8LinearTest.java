package jdiffusion.kernels.linear;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.List;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Closeness;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.Epilogue.Mode;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.Samples;
import jdiffusion.kernels.TestTensors;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Delta;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Weights of float8 by inputs that are rounded to it, on the CPU: the numbers of the device's products. */
class CpuFloat8LinearTest {
    @ParameterizedTest
    @CsvSource({"1, 16, 8", "7, 17, 65", "130, 200, 72", "5, 3, 70", "31, 1100, 33", "70, 800, 9"})
    void raggedSizes(int m, int k, int n) {
        for (DType type : new DType[] {DType.F8_E4M3, DType.F8_E5M2}) {
            Tensor x = TestTensors.random(1, DType.F32, 1, m, k);
            Weight w = new Weight.Scaled(TestTensors.random(2, type, 1, n, k), 0.3f);
            Tensor out = Tensor.of(new float[m * n], m, n);
            run(List.of(new LinearCall(x, w, null, Epilogue.activate(Activation.SILU), out)));
            check(type + " " + n, out, n, Float8Reference.rounded(x.toArray(), m, k), CudaWeights.read(w),
                    Activation.SILU);
        }
    }

    /** Only what is stored as float8 is rounded, layers of one input and parts of one weight apart. */
    @Test
    void otherWeightsAreMultipliedAsBefore() {
        int m = 9;
        int k = 70;
        float[] x = Samples.normal(1, m * k, 0, 1);
        Tensor in = Tensor.of(x, m, k);
        Weight narrow = Weight.of(TestTensors.random(2, DType.F8_E4M3, 1, 40, k));
        Weight wide = Weight.of(TestTensors.random(3, DType.F16, 1, 30, k));
        Tensor bias = TestTensors.random(4, DType.F32, 1, 70);
        Tensor joined = Tensor.of(new float[m * 70], m, 70);
        Tensor alone = Tensor.of(new float[m * 30], m, 30);
        run(List.of(new LinearCall(in, Weight.rows(narrow, wide), bias, Epilogue.STORE, joined),
                new LinearCall(in, wide, bias.columns(40, 70), Epilogue.STORE, alone)));
        float[] bs = bias.toArray();
        for (int part = 0; part < 2; part++) {
            Weight w = part == 0 ? narrow : wide;
            float[] xs = part == 0 ? Float8Reference.rounded(x, m, k) : x;
            float[] ofPart = Arrays.copyOfRange(bs, part * 40, part * 40 + w.rows());
            Closeness.check("part " + part, joined.columns(part * 40, part * 40 + w.rows()).toArray(),
                    LinearReference.exact(m, w.rows(), k, xs, CudaWeights.read(w), ofPart, Activation.NONE, Mode.STORE,
                            null, null), LinearReference.naive(m, w.rows(), k, xs, CudaWeights.read(w), ofPart,
                            Activation.NONE, Mode.STORE, null, null));
        }
        assertThat(joined.columns(40, 70).toArray()).isEqualTo(alone.toArray());
    }

    /** What adapters add is made of the input as it is: of a matrix, of joined ones, and of such with wide ones. */
    @Test
    void adapters() {
        int m = 6;
        int k = 900;
        float[] x = Samples.normal(1, m * k, 0, 1);
        Weight first = Weight.of(TestTensors.random(2, DType.F8_E4M3, 1, 40, k));
        Weight second = Weight.of(TestTensors.random(3, DType.F8_E4M3, 1, 31, k));
        Weight wide = Weight.of(TestTensors.random(3, DType.F16, 1, 31, k));
        for (Weight other : List.of(second, wide)) {
            Delta.LowRank pair = CudaWeights.pair(20, DType.F32, 5, 71, k, 0.5f);
            Weight w = new Weight.Adapted(Weight.rows(first, other), List.of(pair));
            Tensor out = Tensor.of(new float[m * 71], m, 71);
            run(List.of(new LinearCall(Tensor.of(x, m, k), w, null, Epilogue.STORE, out)));
            float[] rounded = Float8Reference.rounded(x, m, k);
            float[] base = CudaWeights.read(Weight.rows(first, other));
            float[] added = CudaWeights.read(w);
            for (int i = 0; i < added.length; i++) {
                added[i] -= base[i];
            }
            float[] ofFirst = CudaAdapterTest.joined(m, k, rounded, k, x);
            float[] ofOther = CudaAdapterTest.joined(m, k, other == wide ? x : rounded, k, x);
            float[] right = CudaAdapterTest.joined(71, k, base, k, added);
            double[] exact = new double[m * 71];
            float[] naive = new float[m * 71];
            for (int row = 0; row < m; row++) {
                for (int col = 0; col < 71; col++) {
                    float[] left = col < 40 ? ofFirst : ofOther;
                    for (int i = 0; i < 2 * k; i++) {
                        float a = left[row * 2 * k + i];
                        float b = right[col * 2 * k + i];
                        exact[row * 71 + col] += (double) a * b;
                        naive[row * 71 + col] += a * b;
                    }
                }
            }
            Closeness.check("adapted, " + other, out.toArray(), exact, naive);
        }
    }

    /**
     * The rounding's error: e4m3 has 3 bits behind the point, so a number is off by up to 1/16 of itself, 2.6 % in the
     * root mean square, and a sum of many as much, whatever the size of its row; bfloat16's is 16 times less. An input
     * far larger than the others of its row costs those bits only where they fall below 2^-6 of the scale.
     */
    @Test
    void theErrorOfTheMethod() {
        int m = 64;
        int k = 1536;
        int n = 96;
        Weight w = Weight.of(TestTensors.random(2, DType.F8_E4M3, 1, n, k));
        float[] x = Samples.normal(1, m * k, 0, 1);
        for (int row = 0; row < m; row++) {
            for (int i = 0; i < k; i++) {
                x[row * k + i] *= (float) Math.pow(10, row % 9 - 4);
            }
        }
        assertThat(relativeError(x, Float8Reference.rounded(x, m, k), m, k, w)).isBetween(0.023, 0.030);
        assertThat(relativeError(x, Samples.rounded(DType.BF16, x), m, k, w)).isBetween(0.0013, 0.0021);
        float[] outliers = Samples.normal(3, m * k, 0, 1);
        for (int row = 0; row < m; row++) {
            outliers[row * k + 700] = 100;
        }
        assertThat(relativeError(outliers, Float8Reference.rounded(outliers, m, k), m, k, w)).isLessThan(0.03);
    }

    /** Of the output for a rounded input, each row against its own size: root mean square. */
    private static double relativeError(float[] x, float[] rounded, int m, int k, Weight w) {
        Tensor fine = Tensor.of(new float[m * w.rows()], m, w.rows());
        Tensor coarse = Tensor.of(new float[m * w.rows()], m, w.rows());
        try (CpuBackend cpu = new CpuBackend(2, Precision.F32)) {
            cpu.linear(Tensor.of(x, m, k), w, null, Epilogue.STORE, fine);
            cpu.linear(Tensor.of(rounded, m, k), w, null, Epilogue.STORE, coarse);
        }
        double sum = 0;
        for (int row = 0; row < m; row++) {
            double error = 0;
            double size = 0;
            for (int col = 0; col < w.rows(); col++) {
                error += Math.pow(coarse.get(row, col) - fine.get(row, col), 2);
                size += Math.pow(fine.get(row, col), 2);
            }
            sum += error / size;
        }
        return Math.sqrt(sum / m);
    }

    @Test
    void saysSo() {
        try (CpuBackend cpu = new CpuBackend(1, Precision.FP8)) {
            assertThat(cpu.precision()).isEqualTo(Precision.FP8);
            assertThat(cpu.arithmetic()).isEqualTo("cpu fp8");
            assertThat(cpu.describe()).endsWith(", fp8");
        }
    }

    private static void run(List<LinearCall> calls) {
        try (CpuBackend cpu = new CpuBackend(2, Precision.FP8)) {
            cpu.linear(calls);
        }
    }

    private static void check(String what, Tensor out, int n, float[] xs, float[] ws, Activation activation) {
        int m = out.rows();
        int k = xs.length / m;
        Closeness.check(what, out.toArray(), LinearReference.exact(m, n, k, xs, ws, null, activation, Mode.STORE, null,
                null), LinearReference.naive(m, n, k, xs, ws, null, activation, Mode.STORE, null, null));
    }
}
