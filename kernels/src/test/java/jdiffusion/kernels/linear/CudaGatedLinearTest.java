package jdiffusion.kernels.linear;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.util.List;
import jdiffusion.emulator.KernelCounters;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Samples;
import jdiffusion.kernels.TestTensors;
import jdiffusion.kernels.cuda.MainLoop;
import jdiffusion.kernels.cuda.OnDevice;
import jdiffusion.kernels.cuda.TestDevice;
import jdiffusion.tensor.BlockFormat;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Gated layers on a CUDA device: in one launch, and in two. */
@OnDevice
class CudaGatedLinearTest {
    /** Around the edges of the small tile, whose half has 32 columns; two with many blocks of the larger ones. */
    private static final List<LinearCase> DIRECT = List.of(new LinearCase(1, 8, 8, DType.BF16),
            new LinearCase(63, 32, 33, DType.BF16), new LinearCase(65, 104, 31, DType.BF16),
            new LinearCase(130, 200, 72, DType.BF16), new LinearCase(1100, 40, 645, DType.BF16),
            new LinearCase(1100, 40, 1285, DType.BF16));

    @Test
    void ragged() {
        try (TestDevice device = TestDevice.open()) {
            for (LinearCase c : DIRECT) {
                for (DType out : new DType[] {DType.F32, DType.BF16}) {
                    assertThat(launches(device, c, DType.BF16, out, DType.F32, 0)).isEqualTo(1);
                    assertThat(launches(device, c, DType.BF16, out, null, 8)).isEqualTo(1);
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void everyActivation(Activation activation) {
        try (TestDevice device = TestDevice.open()) {
            check(device, new LinearCase(14, 40, 72, DType.BF16), activation, DType.BF16, DType.F32, DType.BF16, 0);
        }
    }

    @Test
    void float16() {
        try (TestDevice device = TestDevice.open(DType.F16)) {
            for (LinearCase c : List.of(new LinearCase(63, 32, 33, DType.F16),
                    new LinearCase(1100, 40, 645, DType.F16), new LinearCase(1100, 40, 1285, DType.F16))) {
                assertThat(launches(device, c, DType.F16, DType.F16, DType.F16, 0)).isEqualTo(1);
            }
        }
    }

    /** Rows that are not aligned, inputs in float32, weights of another type. */
    @Test
    void othersTakeTwoLaunches() {
        try (TestDevice device = TestDevice.open()) {
            LinearCase c = new LinearCase(33, 40, 20, DType.BF16);
            assertThat(launches(device, c, DType.BF16, DType.BF16, DType.F32, 3)).isEqualTo(2);
            assertThat(launches(device, c, DType.F32, DType.BF16, DType.F32, 0)).isEqualTo(2);
            assertThat(launches(device, new LinearCase(9, 40, 33, DType.F8_E4M3), DType.BF16, DType.F32, null, 0))
                    .isEqualTo(2);
        }
    }

    @Test
    void halvesOfQuantisedMatrices() {
        int n = 64;
        int k = 256;
        try (TestDevice device = TestDevice.open()) {
            Tensor x = device.put(TestTensors.random(1, DType.BF16, 1, 9, k));
            for (Weight w : List.of(new BlocksCase(BlockFormat.Q6_K, 2 * n, k).make(1),
                    new FourBitCase(2 * n, k, 64, true).make(1))) {
                float[] values = new float[2 * n * k];
                for (int row = 0; row < 2 * n; row++) {
                    w.read(row, 0, k, values, row * k);
                }
                Tensor out = device.empty(DType.F32, 9, n);
                gated(device).run(x, CudaWeights.put(device, w), null, Activation.SILU, out);
                GatedLinearReference.check(w.getClass().getSimpleName(), new LinearCase(9, k, n, DType.F32),
                        device.get(x), Samples.rounded(DType.BF16, values), null, Activation.SILU, device.get(out),
                        DType.F32);
            }
        }
    }

    /**
     * Some of the rows and half of k of SDXL's feed-forward at 64x64: x is read as by one layer of twice the columns,
     * out is written once and not read. In two launches the gates' one reads and writes it once more.
     */
    @Test
    void outIsWrittenOnceAndNeverRead() {
        assumeFalse(TestDevice.isReal(), "only the emulated device counts");
        int m = 1280;
        int k = 320;
        int n = 2560;
        KernelCounters one = counters(m, k, n, true, "linear_bf16_gated_broad");
        KernelCounters two = counters(m, k, n, false, "linear_bf16_broad");
        assertThat(one.mmaFlops()).isEqualTo(2L * m * 2 * n * k).isEqualTo(two.mmaFlops());
        assertThat(one.traffic().globalBytesWritten).isEqualTo(2L * m * n);
        assertThat(two.traffic().globalBytesWritten).isEqualTo(2 * 2L * m * n);
        assertThat(two.traffic().globalBytesRead - one.traffic().globalBytesRead).as("the values, read again")
                .isEqualTo(2L * m * n);
        assertThat((double) one.traffic().globalSectors / one.traffic().globalIdealSectors).isLessThanOrEqualTo(1.1);
        MainLoop loop = MainLoop.of(one);
        assertThat(loop.conflictCycles()).as("cycles lost to bank conflicts").isZero();
        assertThat(loop.usefulShare()).as(loop.toString()).isGreaterThanOrEqualTo(0.85);
    }

    private static KernelCounters counters(int m, int k, int n, boolean together, String kernel) {
        try (TestDevice device = TestDevice.profiling()) {
            Tensor x = device.put(TestTensors.random(1, DType.BF16, 1, m, k));
            Weight w = Weight.of(device.put(TestTensors.random(2, DType.BF16, 1, 2 * n, k)));
            Tensor out = device.empty(DType.BF16, m, n);
            if (together) {
                gated(device).run(x, w, null, Activation.GELU_ERF, out);
            } else {
                LinearCall.gated(x, w, null, Activation.GELU_ERF, out)
                        .forEach(half -> new CudaLinear(device.cuda()).run(List.of(half)));
            }
            device.cuda().synchronize();
            assertThat(device.counters()).containsOnlyKeys(kernel);
            return device.counters().get(kernel);
        }
    }

    private static CudaGatedLinear gated(TestDevice device) {
        return new CudaGatedLinear(device.cuda(), new CudaLinear(device.cuda()));
    }

    private static long launches(TestDevice device, LinearCase c, DType x, DType out, DType bias, int gaps) {
        return check(device, c, Activation.GELU_ERF, x, out, bias, gaps);
    }

    /** Runs a layer in columns of wider tensors; the launches that it took. */
    private static long check(TestDevice device, LinearCase c, Activation activation, DType xType, DType outType,
                              DType biasType, int gaps) {
        Tensor x = device.put(TestTensors.random(1, xType, 1, c.m(), c.k() + gaps)).columns(gaps, c.k() + gaps);
        Tensor w = device.put(TestTensors.random(2, c.type(), 1 / Math.sqrt(c.k()), 2 * c.n(), c.k() + gaps))
                .columns(gaps, c.k() + gaps);
        Tensor bias = biasType == null ? null : device.put(TestTensors.random(3, biasType, 1, 2 * c.n()));
        Tensor wide = device.put(TestTensors.random(5, outType, 1, c.m(), c.n() + 2 * gaps));
        Tensor out = wide.columns(gaps, c.n() + gaps);
        float[] before = device.get(wide);
        long launches = device.cuda().launches();
        gated(device).run(x, Weight.of(w), bias, activation, out);
        launches = device.cuda().launches() - launches;
        DType product = xType == DType.F32 ? DType.BF16 : xType;
        GatedLinearReference.check(c + " of " + x + " to " + out, c, Samples.rounded(product, device.get(x)),
                Samples.rounded(product, device.get(w)), bias == null ? null : device.get(bias), activation,
                device.get(out), outType);
        float[] after = device.get(wide);
        for (int i = 0; i < after.length; i++) {
            int col = i % wide.cols() - gaps;
            if (col < 0 || col >= c.n()) {
                assertThat(after[i]).as("beside the output, element " + i).isEqualTo(before[i]);
            }
        }
        device.clear();
        return launches;
    }
}
